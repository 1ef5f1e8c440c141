import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import type { ExecutionContext } from 'ava'
import type { Answer, Call } from './child-commands.js'

/** An error that a command of the child threw. */
export class ChildError extends Error {
  readonly code: string | undefined

  constructor(message: string, code?: string) {
    super(message)
    this.code = code
  }
}

/** A process that runs a script and does what it is told: see `serveCommands` for the script's side. */
export class Child {
  readonly #process: ChildProcess
  readonly #waiting = new Map<number, { resolve(value: unknown): void; reject(error: Error): void }>()
  readonly #events = new Map<string, unknown[]>()
  readonly #listeners = new Set<() => void>()
  readonly #ended: Promise<{ code: number | null; signal: NodeJS.Signals | null }>
  #calls = 0

  constructor(process: ChildProcess) {
    this.#process = process
    this.#ended = once(process, 'exit').then(([code, signal]) => ({ code, signal }))
    process.on('message', (answer: Answer) => this.#onAnswer(answer))
    process.once('exit', (code, signal) => this.#rejectAll(`the child ended (${signal ?? code})`))
  }

  get pid(): number {
    return this.#process.pid ?? 0
  }

  /** Runs a command and returns its result; a thrown error arrives with its message and code. */
  call(command: string, ...parameters: unknown[]): Promise<unknown> {
    this.#calls += 1
    const call: Call = { id: this.#calls, command, parameters }
    return new Promise((resolve, reject) => {
      this.#waiting.set(call.id, { resolve, reject })
      this.#process.send(call, (error) => error && reject(error))
    })
  }

  /** Resolves with the values of the event sent so far as soon as `condition` holds for them. */
  async waitFor(event: string, condition = (values: unknown[]) => values.length > 0): Promise<unknown[]> {
    for (;;) {
      const values = this.#events.get(event) ?? []
      if (condition(values)) return values
      await new Promise<void>((resolve) => this.#listeners.add(resolve))
    }
  }

  /** Ends it at once, as `kill -9` does. */
  async kill(signal: NodeJS.Signals = 'SIGKILL'): Promise<void> {
    this.#process.kill(signal)
    await this.#ended
  }

  /** Stops it between two instructions; `resume` lets it go on. */
  pause(): void {
    this.#process.kill('SIGSTOP')
  }

  resume(): void {
    this.#process.kill('SIGCONT')
  }

  /** Closes the channel, after which a script with nothing left to do ends by itself, and returns how it ended. */
  async end(): Promise<{ code: number | null; signal: NodeJS.Signals | null }> {
    if (this.#process.connected) this.#process.disconnect()
    return this.#ended
  }

  #onAnswer(answer: Answer): void {
    if ('event' in answer) {
      this.#events.set(answer.event, [...(this.#events.get(answer.event) ?? []), answer.value])
      for (const listener of this.#listeners) listener()
      this.#listeners.clear()
      return
    }
    const waiting = this.#waiting.get(answer.id)
    this.#waiting.delete(answer.id)
    if ('error' in answer) waiting?.reject(new ChildError(answer.error.message, answer.error.code))
    else waiting?.resolve(answer.result)
  }

  #rejectAll(reason: string): void {
    for (const { reject } of this.#waiting.values()) reject(new ChildError(reason))
    this.#waiting.clear()
  }
}

/** Starts a script beside the test (`new URL('x.js', import.meta.url)`); it is killed when the test ends. */
export function startChild(
  t: ExecutionContext,
  script: URL,
  environment: Record<string, string> = {},
): Child {
  const child = new Child(
    fork(fileURLToPath(script), [], {
      env: { ...process.env, ...environment },
      execArgv: ['--expose-gc', '--enable-source-maps'],
      serialization: 'advanced',
    }),
  )
  t.teardown(() => child.kill())
  return child
}
