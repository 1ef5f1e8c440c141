import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { stripVTControlCharacters } from 'node:util'
import type { ExecutionContext } from 'ava'
import { widthOf } from '#dist/cli/text.js'

export interface TerminalSize {
  columns?: number
  rows?: number
}

/** Pseudo-terminals are there on Unix only. */
export const HAS_TERMINALS = process.platform !== 'win32'

/** A program that runs in a pseudo-terminal. */
export class Terminal {
  /** All that the screen got, control characters included. */
  screen = ''
  readonly #process: ChildProcess
  readonly #ended: Promise<number>
  readonly #watchers = new Set<() => void>()
  #over = false

  static start(
    t: ExecutionContext,
    command: readonly string[],
    { columns = 100, rows = 24 }: TerminalSize,
    env: NodeJS.ProcessEnv,
  ): Terminal {
    const args = ['__test__/cli/pseudo_terminal.py', String(columns), String(rows), ...command]
    const child = spawn('python3', args, { env, stdio: ['pipe', 'pipe', 'inherit'] })
    t.teardown(() => child.kill('SIGKILL'))
    return new Terminal(child)
  }

  private constructor(process: ChildProcess) {
    this.#process = process
    process.stdout?.setEncoding('utf8').on('data', (piece: string) => {
      this.screen += piece
      this.#changed()
    })
    this.#ended = once(process, 'close').then(([status]) => {
      this.#over = true
      this.#changed()
      return status
    })
  }

  /** Resolves as soon as the text on the screen matches; fails if the program ends without. */
  async waitFor(pattern: RegExp): Promise<void> {
    while (!pattern.test(this.text)) {
      if (this.#over) throw new Error(`the program ended without ${pattern}:\n${this.text}`)
      await new Promise<void>((resolve) => this.#watchers.add(resolve))
    }
  }

  /** Presses keys. */
  type(keys: string): void {
    this.#process.stdin?.write(keys)
  }

  /** Exit status of the program. */
  get status(): Promise<number> {
    return this.#ended
  }

  /** The screen's text without control characters; what was drawn again is there again, but not what was taken back. */
  get text(): string {
    const [first = '', ...rest] = stripVTControlCharacters(this.screen).replaceAll('\r', '').split('\b')
    return rest.reduce((text, piece) => text.slice(0, -1) + piece, first)
  }

  /** Columns of the widest line that was ever drawn. */
  get widest(): number {
    // Control sequences end a line too: those used here move the cursor, or begin and end a line.
    const moves = this.screen.replaceAll('\u001b[', '\r\u001b[')
    const lines = moves.split(/[\r\n]/).map(stripVTControlCharacters)
    return Math.max(...lines.map(widthOf))
  }

  #changed(): void {
    for (const watcher of this.#watchers) watcher()
    this.#watchers.clear()
  }
}
