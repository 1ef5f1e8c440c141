import { checkFunction, checkRepo, checkSignal, type Schema } from './argument.js'
import type { FileInfo } from './manifest.js'
import type { Progress } from './progress.js'

/** Options of {@link ModelCache.importHfCache}. */
export interface ImportOptions {
  /**
   * Only this repository.
   *
   * @defaultValue all models of the folder
   */
  repo?: string
  /** Ends this call with `signal.reason`; what was imported before stays. */
  signal?: AbortSignal
  /**
   * Called at most 20 times a second, always once at 100 %, never after the promise settled. An exception in it ends the
   * call, which rejects with that exception.
   */
  onProgress?: (progress: Progress) => void
}

/** A file that was imported. */
export interface ImportedFile extends FileInfo {
  repo: string
  commit: string
}

/** What an import did. */
export interface ImportReport {
  /** Files that are stored now and were not before. */
  imported: ImportedFile[]
  /** What was left alone, by its path in the folder. */
  skipped: { path: string; why: string }[]
  /** Bytes of the imported files. */
  bytes: number
}

export const importSchema: Schema<ImportOptions> = {
  repo: checkRepo,
  signal: checkSignal,
  onProgress: checkFunction,
}
