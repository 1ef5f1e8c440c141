import { checkBoolean, checkChoice, checkFunction, checkSignal, type Schema } from './argument.js'
import { type RevisionOptions, revisionSchema } from './options.js'
import type { Progress } from './progress.js'

/** Options of the exporting calls. */
export interface ExportOptions extends RevisionOptions {
  /**
   * How the plain files come by their bytes. `reflink` shares the disk blocks of the store, at once and without room on the
   * disk, and fails with `ERR_UNSUPPORTED_FILESYSTEM` where the file system cannot (btrfs and XFS can). `copy` copies them
   * always. `auto` shares where that is possible and copies otherwise. A change on one side never shows on the other.
   * Files under 64 KiB have no blocks of their own and are always copied.
   *
   * @defaultValue `'auto'`
   */
  link?: 'auto' | 'reflink' | 'copy'
  /**
   * Replace files that exist, whatever they hold. Without it the call fails before it writes anything.
   *
   * @defaultValue `false`
   */
  overwrite?: boolean
  /** Ends this call with `signal.reason`; the file being written is dropped, those written before it stay. */
  signal?: AbortSignal
  /**
   * Called at most 20 times a second, always once at 100 %, never after the promise settled. An exception in it ends the
   * call, which rejects with that exception.
   */
  onProgress?: (progress: Progress) => void
}

/** What an export wrote. */
export interface ExportReport {
  files: {
    /** Path within the repository. */
    path: string
    /** Absolute path of the plain file. */
    destination: string
    /** Bytes. */
    size: number
    /** How it came by its bytes. */
    method: 'reflink' | 'copy'
  }[]
}

export const exportSchema: Schema<ExportOptions> = {
  ...revisionSchema,
  link: checkChoice('auto', 'reflink', 'copy'),
  overwrite: checkBoolean,
  signal: checkSignal,
  onProgress: checkFunction,
}
