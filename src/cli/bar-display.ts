import { MultiBar, type SingleBar } from 'cli-progress'
import type { FileProgress } from '../index.js'
import { describeRate, type Line, layoutLine } from './bar.js'
import type { Display, Whole } from './display.js'
import { formatPart } from './size.js'
import { Suspension } from './suspension.js'
import type { Terminal } from './terminal.js'
import { count } from './text.js'

/** Most files with a bar of their own; the others are counted. */
const MOST_FILES = 8
/** Milliseconds without news after which the rate is no longer true. */
const SILENCE = 3000

/** A bar for the whole, and below it one for each file in motion. */
export class BarDisplay implements Display {
  readonly #terminal: Terminal
  readonly #files = new Map<string, SingleBar>()
  readonly #suspension = new Suspension({
    leave: () => this.#clear(),
    resume: () => this.#news && this.show(this.#news),
  })
  #bars: MultiBar | undefined
  #whole: SingleBar | undefined
  #news: Whole | undefined
  #newsAt = 0

  constructor(terminal: Terminal) {
    this.#terminal = terminal
  }

  show(whole: Whole): void {
    this.#news = whole
    this.#newsAt = performance.now()
    this.#bars ??= this.#open()
    this.#whole ??= this.#bars.create(1, 0, { line: () => this.#wholeLine() })
    const files = whole.files.slice(0, this.#room)
    const hidden = whole.files.length - files.length
    this.#removeAllBut(this.#bars, files)
    for (const file of files) {
      const payload = { line: () => fileLine(file, file === files.at(-1) ? hidden : 0) }
      const bar = this.#files.get(file.path)
      if (bar) bar.update(0, payload)
      else this.#files.set(file.path, this.#bars.create(1, 0, payload))
    }
  }

  stop(): void {
    this.#suspension.end()
    this.#clear()
  }

  #open(): MultiBar {
    this.#suspension.listen()
    const terminal = this.#terminal
    return new MultiBar({
      // Each line is laid out as it is drawn: the terminal's width may have changed.
      format: (_options, _params, { line }: { line: () => Line }) => layoutLine(line(), terminal.columns),
      stream: terminal.stream,
      hideCursor: true,
      clearOnComplete: true,
      // Bars move up when one above them goes.
      forceRedraw: true,
    })
  }

  /** What was changed of the terminal is as it was, too: cursor and line wrapping. */
  #clear(): void {
    this.#bars?.stop()
    this.#bars = undefined
    this.#whole = undefined
    this.#files.clear()
  }

  /** Lines that the terminal has for files: what is redrawn must not scroll. */
  get #room(): number {
    return Math.max(0, Math.min(MOST_FILES, this.#terminal.rows - 3))
  }

  #removeAllBut(bars: MultiBar, files: readonly FileProgress[]): void {
    const paths = new Set(files.map(({ path }) => path))
    for (const [path, bar] of this.#files) {
      if (paths.has(path)) continue
      bars.remove(bar)
      this.#files.delete(path)
    }
  }

  #wholeLine(): Line {
    const { label = '', loaded = 0, total = 0, bytesPerSecond = 0 } = this.#news ?? {}
    const silent = performance.now() - this.#newsAt > SILENCE
    const facts = silent
      ? [formatPart(loaded, total), 'waiting for data']
      : describeRate(loaded, total, bytesPerSecond)
    return { name: label, loaded, total, facts }
  }
}

/** Of shards the number tells them apart, and it is what shortening a long name would hide. */
function shortName(path: string): string {
  return path.replace(/-0*(\d+)-of-0*(\d+)\.\w+$/, ' $1/$2')
}

/** `hidden` files in motion have no line of their own. */
function fileLine({ path, loaded, total }: FileProgress, hidden: number): Line {
  const others = hidden > 0 ? [`and ${count(hidden, 'more file')}`] : []
  return { name: shortName(path), indent: 2, loaded, total, facts: [formatPart(loaded, total), ...others] }
}
