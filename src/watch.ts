import type { NativeCache, NativeWatch } from './binding.js'
import { callNative } from './errors.js'
import { type Manifest, toManifest } from './manifest.js'
import type { WatchOptions } from './options.js'
import { onAbort, reasonOf } from './signal.js'

type Result = IteratorResult<Manifest, undefined>

/** A promise that `next()` gave and nothing has settled yet. */
interface Waiting {
  resolve(result: Result): void
  reject(reason: unknown): void
}

/** Longest delay of a timer, about 25 days. */
const LONGEST = 2 ** 31 - 1

/** Keeps the process alive for the present state: a script that does nothing else would end before it. */
class Hold {
  #timer: NodeJS.Timeout | undefined
  #over = false

  begin(): void {
    if (!this.#over) this.#timer ??= setInterval(() => {}, LONGEST)
  }

  end(): void {
    this.#over = true
    clearInterval(this.#timer)
  }
}

/** Watches that somebody waits at: nothing else need refer to such a one. */
const awaited = new Set<ManifestWatch>()

/** What is left of a watch that was collected: its part in the listener of its signal. */
const forgotten = new FinalizationRegistry<() => void>((ignoreAbort) => ignoreAbort())

/**
 * The manifests of a cache as they change.
 *
 * The addon only nudges; a manifest is fetched when somebody asks for the next one, so whoever is slow gets fewer and newer
 * ones. The addon and the signal refer to a watch weakly: one that was forgotten ends by garbage collection.
 */
export class ManifestWatch implements AsyncIterableIterator<Manifest> {
  readonly #native: NativeWatch
  readonly #hold = new Hold()
  #waiting: Waiting[] = []
  #over = false
  #ignoreAbort: (() => void) | undefined
  /** What the next `next()` rejects with. */
  #failure: { reason: unknown } | undefined

  constructor(cache: NativeCache, { repo, signal }: WatchOptions) {
    const weak = new WeakRef(this)
    const ifThere = (act: (watch: ManifestWatch) => void) => {
      const watch = weak.deref()
      if (watch) act(watch)
    }
    const hold = this.#hold
    const onNews = () => {
      hold.end()
      ifThere((watch) => watch.#onNews())
    }
    this.#native = callNative(() => cache.watch(repo, onNews))
    if (signal?.aborted) this.#end({ reason: reasonOf(signal) })
    else if (signal) {
      this.#ignoreAbort = onAbort(signal, () => ifThere((watch) => watch.#onAbort(reasonOf(signal))))
      forgotten.register(this, this.#ignoreAbort, this)
    }
  }

  /** The present manifests one after the other, then the newest state of each that changes. */
  next(): Promise<Result> {
    return new Promise<Result>((resolve, reject) => {
      this.#waiting.push({ resolve, reject })
      this.#deliver()
      if (this.#waiting.length > 0) this.#hold.begin()
    })
  }

  /** Ends the watch, and every `next()` that waits. */
  async return(): Promise<Result> {
    this.#end()
    this.#deliver()
    return { done: true, value: undefined }
  }

  [Symbol.asyncIterator](): this {
    return this
  }

  #onAbort(reason: unknown): void {
    this.#end({ reason })
    this.#deliver()
  }

  /** The end is noticed also when nobody waits: nothing of an ended watch stays with its signal. */
  #onNews(): void {
    this.#deliver()
    if (this.#native.isOver) this.#end()
  }

  #end(failure?: { reason: unknown }): void {
    if (this.#over) return
    this.#over = true
    this.#failure = failure
    this.#native.close()
    this.#hold.end()
    this.#ignoreAbort?.()
    forgotten.unregister(this)
  }

  #deliver(): void {
    while (this.#waiting.length > 0) {
      const manifest = this.#take()
      if (manifest === undefined && !this.#over) break
      const waiting = this.#waiting.shift()
      if (manifest) waiting?.resolve({ done: false, value: manifest })
      else if (this.#failure) waiting?.reject(this.#failure.reason)
      else waiting?.resolve({ done: true, value: undefined })
      if (!manifest) this.#failure = undefined
    }
    if (this.#waiting.length > 0) awaited.add(this)
    else awaited.delete(this)
  }

  /** The next manifest, if there is one; notices the end. */
  #take(): Manifest | undefined {
    if (this.#over) return undefined
    try {
      const native = callNative(() => this.#native.take())
      if (native) return toManifest(native)
      if (this.#native.isOver) this.#end()
    } catch (reason) {
      this.#end({ reason })
    }
    return undefined
  }
}
