import type { DownloadOptions, Progress } from '../index.js'
import { type Display, openDisplay } from './display.js'
import { doubtfulFirst } from './doubtful-first.js'
import type { Item } from './item.js'
import type { Session } from './session.js'
import { formatPart } from './size.js'
import { Tally } from './tally.js'

/** Downloads of one command, one after the other: the first is ready as soon as can be, and all connections are its. */
export class Transfer {
  /** Bytes that had to be downloaded. */
  fetched = 0
  readonly #session: Session
  readonly #display: Display
  readonly #tally = new Tally()
  readonly #command: string
  /** Items besides the one that is brought: the sizes shown are those of all. */
  #others = 0

  /** `command` is what to type to go on with it. */
  constructor(session: Session, command: string) {
    this.#session = session
    this.#command = command
    this.#display = openDisplay(session.output)
    session.atEnd(() => this.#display.stop())
  }

  async run(items: readonly Item[], options: DownloadOptions): Promise<Item[]> {
    this.#others = items.length - 1
    for (const { files } of items) this.#tally.expect(files)
    const ready = new Map<Item, Item>()
    for (const item of doubtfulFirst(items, ({ files }) => files.length === 0)) {
      ready.set(item, { ...item, files: await this.#bring(item, options) })
    }
    this.#display.stop()
    return items.flatMap((item) => ready.get(item) ?? [])
  }

  async #bring(item: Item, options: DownloadOptions) {
    let missing = 0
    const onProgress = (progress: Progress) => {
      missing = progress.total - progress.resumedFrom
      this.#show(item, progress)
    }
    const files = await item.bring({ ...options, signal: this.#session.signal, onProgress })
    this.fetched += missing
    this.#tally.finish(files)
    return files
  }

  #show(item: Item, progress: Progress): void {
    const { loaded, total } = this.#tally.whole(item.files, progress)
    const { bytesPerSecond, files } = progress
    const label = this.#others > 0 ? `${item.label} and ${this.#others} more` : item.label
    this.#display.show({ label, loaded, total, bytesPerSecond, files })
    this.#session.resume = () => [`Kept: ${formatPart(loaded, total)}. To go on from there:`, this.#command]
  }
}
