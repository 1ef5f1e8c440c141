import { describeRate } from './bar.js'
import type { Display, Whole } from './display.js'
import { formatPercent } from './size.js'
import type { Terminal } from './terminal.js'

/** Milliseconds between two lines: a log should not be full of them. */
const PERIOD = 10_000

/** A plain line when something new begins, and every ten seconds. */
export class LineDisplay implements Display {
  readonly #terminal: Terminal
  #label = ''
  #next = 0

  constructor(terminal: Terminal) {
    this.#terminal = terminal
  }

  show(whole: Whole): void {
    if (whole.label === this.#label && performance.now() < this.#next) return
    this.#label = whole.label
    this.#next = performance.now() + PERIOD
    const { label, loaded, total, bytesPerSecond } = whole
    const facts = describeRate(loaded, total, bytesPerSecond).join(', ')
    this.#terminal.write(`${label}: ${formatPercent(loaded, total)}, ${facts}`)
  }

  stop(): void {
    this.#next = Infinity
  }
}
