import type { WriteStream } from 'node:tty'
import { printable } from './text.js'

const STYLES = { bold: [1, 22], dim: [2, 22], red: [31, 39], green: [32, 39], yellow: [33, 39] } as const

export type Style = keyof typeof STYLES

/** One of the process's output streams, and what it can show. */
export class Terminal {
  readonly stream: NodeJS.WriteStream

  constructor(stream: NodeJS.WriteStream) {
    this.stream = stream
  }

  /** Whether a person watches, on something that can move its cursor. */
  get isInteractive(): boolean {
    return this.stream.isTTY === true && process.env['TERM'] !== 'dumb'
  }

  /** Columns that a line may take; no limit where the output goes into a file or pipe. A terminal whose size nobody set has 0. */
  get columns(): number {
    return this.stream.isTTY ? this.stream.columns || 80 : Infinity
  }

  /** Lines of the screen. */
  get rows(): number {
    return this.stream.rows || 24
  }

  /**
   * Writes a line. Repositories and files name themselves, so nothing of the text itself is obeyed, nor ends the line.
   */
  write(line: string, style?: Style): void {
    this.stream.write(`${this.#paint(printable(line), style)}\n`)
  }

  /** Colours a text where colours are wanted: NO_COLOR, FORCE_COLOR and TERM as Node reads them. */
  #paint(text: string, style: Style | undefined): string {
    if (style === undefined || !this.#hasColors) return text
    const [on, off] = STYLES[style]
    return `\u001b[${on}m${text}\u001b[${off}m`
  }

  get #hasColors(): boolean {
    return this.stream.isTTY === true && (this.stream as unknown as WriteStream).hasColors()
  }
}
