import { checkBoolean, checkFunction, checkSignal, type Schema } from './argument.js'
import type { NativePlainFiles } from './binding.js'
import { fromNative } from './errors.js'
import { type RevisionOptions, revisionSchema } from './options.js'
import type { Progress } from './progress.js'

/** Options of {@link ModelCache.materialize}. */
export interface MaterializeOptions extends RevisionOptions {
  /**
   * Leave the files there when nobody holds them any more, for other programs: until their bytes are removed from the store,
   * or `prune({ plainFiles: true })`.
   *
   * @defaultValue `false`
   */
  keep?: boolean
  /** Ends this call with `signal.reason`; what it had not finished is dropped. */
  signal?: AbortSignal
  /**
   * Called at most 20 times a second, always once at 100 %, never after the promise settled. Bytes that another process
   * copies are counted when they are there. An exception in it ends the call, which rejects with that exception.
   */
  onProgress?: (progress: Progress) => void
}

/** One plain file. */
export interface PlainFile {
  /** Path within the repository. */
  path: string
  /** Absolute path of the plain file; it is read-only. */
  file: string
  /** Bytes. */
  size: number
  /** How it came to be there: it shares its disk blocks with the store, its bytes were copied, or it was there already. */
  method: 'reflink' | 'copy' | 'shared'
}

/** Makes a handle of the addon's one. */
export let wrapPlainFiles: (native: NativePlainFiles) => PlainFiles

/** Handles that were not closed: an engine's use of a path is not visible to the garbage collector. */
const held = new Set<PlainFiles>()

/**
 * Plain files of a stored file or quant, held: they stay where they are until `close()`, or the end of the process.
 *
 * All who want the same files, in whatever process, share them. They are removed with the last handle of all processes, however
 * these end, unless they are kept. Removing the stored file changes nothing for who holds them.
 *
 * @example
 * ```ts
 * await using files = await cache.materialize('bartowski/Llama-3.2-1B-Instruct-GGUF', 'Q4_K_M')
 * const model = await llama.loadModel({ modelPath: files.path })
 * ```
 */
export class PlainFiles implements AsyncDisposable {
  /** The file for an engine: the one asked for, the first of its numbered parts, or the first with weights of the quant. */
  readonly path: string
  /** The folder in which the files have their listed paths. */
  readonly folder: string
  /** All files, in the order of the listing. */
  readonly files: PlainFile[]
  /** Bytes that this call copied, which the files now take on the disk; 0 where blocks are shared, or files were there. */
  readonly copied: number

  readonly #native: NativePlainFiles

  static {
    wrapPlainFiles = (native) => new PlainFiles(native)
  }

  private constructor(native: NativePlainFiles) {
    const { path, folder, files, copied } = native.describe()
    this.path = path
    this.folder = folder
    this.files = files
    this.copied = copied
    this.#native = native
    held.add(this)
  }

  /**
   * Lets the files go. Resolves when they are removed, unless others hold them or they are kept. Closing again does nothing.
   */
  async close(): Promise<void> {
    held.delete(this)
    await this.#native.close().catch((error: unknown) => {
      throw fromNative(error)
    })
  }

  /** The same as `close()`, for `await using`. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.close()
  }
}

export const materializeSchema: Schema<MaterializeOptions> = {
  ...revisionSchema,
  keep: checkBoolean,
  signal: checkSignal,
  onProgress: checkFunction,
}
