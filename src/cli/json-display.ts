import type { Display, Whole } from './display.js'
import type { Terminal } from './terminal.js'

/** Milliseconds between two lines. */
const PERIOD = 500

/** `{"progress": ...}`, one JSON document in a line, twice a second at most; the newest is always told. */
export class JsonDisplay implements Display {
  readonly #terminal: Terminal
  #news: Whole | undefined
  #timer: NodeJS.Timeout | undefined

  constructor(terminal: Terminal) {
    this.#terminal = terminal
  }

  show(whole: Whole): void {
    this.#news = whole
    if (this.#timer === undefined) this.#write()
  }

  stop(): void {
    if (this.#news) this.#write()
    clearTimeout(this.#timer)
  }

  #write(): void {
    clearTimeout(this.#timer)
    if (this.#news) this.#terminal.write(JSON.stringify({ progress: this.#news }))
    this.#news = undefined
    this.#timer = setTimeout(() => this.#pass(), PERIOD)
  }

  #pass(): void {
    this.#timer = undefined
    if (this.#news) this.#write()
  }
}
