import type { Operation } from './binding.js'

/** How far one file of a download is. */
export interface FileProgress {
  /** Path within the repository. */
  path: string
  /** Bytes that are stored. */
  loaded: number
  /** Size of the file. */
  total: number
}

/** How far a download is. All sizes are bytes. */
export interface Progress {
  /** Repository that is downloaded. */
  repo: string
  /** Quant that is downloaded; absent when a single file was asked for. */
  quant?: string
  /** The file now moving. */
  path?: string
  /**
   * Bytes of the whole call that are stored, those of earlier runs and of other processes included. It falls when a
   * process dies that downloads for this call: what that one had not recorded is fetched again. And when a file turns out
   * to be wrong: it is fetched once more and compared, and the part that was compared counts.
   */
  loaded: number
  /** Bytes of the whole call. */
  total: number
  /** Bytes of `path` that are stored. */
  fileLoaded?: number
  /** Size of `path`. */
  fileTotal?: number
  /** All files under way, at most 16, in a lasting order; empty at 100 %. */
  files: FileProgress[]
  /** Speed of the last seconds. */
  bytesPerSecond: number
  /** Bytes that were already stored when the call began. */
  resumedFrom: number
}

/**
 * Hands the addon's progress to one callback.
 *
 * The addon only nudges; the numbers are read when the callback is about to run, so a busy event loop sees fewer and
 * newer reports, and the last one can be delivered before the promise settles however late its nudge is.
 */
export class ProgressReporter {
  readonly #operation: Operation
  readonly #callback: (progress: Progress) => void
  readonly #fail: (error: unknown) => void
  #stopped = false

  constructor(operation: Operation, callback: (progress: Progress) => void, fail: (error: unknown) => void) {
    this.#operation = operation
    this.#callback = callback
    this.#fail = fail
  }

  /** Delivers what is new; an exception of the callback fails the call and ends the reports. */
  readonly deliver = (): void => {
    if (this.#stopped) return
    const progress = this.#operation.takeProgress()
    if (progress === null) return
    try {
      this.#callback(progress)
    } catch (error) {
      this.stop()
      this.#fail(error)
    }
  }

  stop(): void {
    this.#stopped = true
  }
}
