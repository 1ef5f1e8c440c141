import {
  checkBoolean,
  checkFunction,
  checkInteger,
  checkRepo,
  checkSignal,
  checkString,
  type Schema,
} from './argument.js'
import type { Progress } from './progress.js'

/** Which revision of the repository is meant. */
export interface RevisionOptions {
  /**
   * Branch, tag or commit.
   *
   * @defaultValue `main`
   */
  revision?: string
}

/** Options of {@link ModelCache.scanRepo}. */
export interface ScanOptions extends RevisionOptions {
  /**
   * Ask for the whole listing, of a commit that was scanned before too, whatever is stored. A branch is always asked for,
   * but answered from the store when the endpoint says that nothing has changed.
   *
   * @defaultValue `false`
   */
  refresh?: boolean
  /**
   * Read the headers of files too, where no name says how a quant's weights are stored, and name the quant by that:
   * `model.gguf` becomes `Q4_K_M`, `model.safetensors` becomes `bf16`. Names that files or the endpoint give stay as they
   * are. Of such a quant the largest part is asked (its first file), with at most 16 requests, and up to 32 quants in one
   * call; what is stored is read from the store. Nothing of it counts as downloaded. The names last: later scans,
   * manifests and calls of all processes have them, also for other commits with the same file. The name from before
   * is still understood where a quant is named. A quant that is being downloaded keeps its name until a later scan.
   *
   * Offline, and where the answer is `stale`, only headers of stored files are read. Otherwise a header that the
   * endpoint does not give fails the call; the listing is stored by then. A cache opened with `readOnly` keeps the names of
   * a listing that is stored, and reads no headers for it.
   *
   * @defaultValue `false`
   */
  headers?: boolean
  /** Ends this call with `signal.reason`. */
  signal?: AbortSignal
}

/** Options of {@link ModelCache.getFile}. */
export interface GetOptions extends RevisionOptions {
  /**
   * Check the checksum of each 4 MiB block when it is first handed out; a damaged one throws `ERR_CORRUPT`.
   *
   * @defaultValue `false`: the bytes were checked when they were stored
   */
  verify?: boolean
}

/** Options of the downloading calls. */
export interface DownloadOptions extends RevisionOptions {
  /** Ends this call with `signal.reason` at once. The transfer goes on while another caller wants it; what is stored stays. */
  signal?: AbortSignal
  /**
   * Called at most 20 times a second, always once at 100 %, never after the promise settled. It holds no process open;
   * the download does. An exception in it ends the call, which rejects with that exception; what is stored stays.
   */
  onProgress?: (progress: Progress) => void
  /**
   * Mark what is downloaded as never to be evicted to make room.
   *
   * @defaultValue `false`
   */
  keep?: boolean
}

/** Options of {@link ModelCache.verify}. */
export interface VerifyOptions {
  /**
   * Check only the files of this repository.
   *
   * @defaultValue everything in the store, of all endpoints
   */
  repo?: string
  /**
   * Make damaged records again, and fetch damaged blocks again. These are written once they are proven to give the file its digest, and open views show the right
   * bytes from then on. Of a file with more than 256 MiB of damage nothing is fetched: remove it and download it again.
   *
   * @defaultValue `false`
   */
  repair?: boolean
  /** Ends this call with `signal.reason` at once, and the check with it. */
  signal?: AbortSignal
  /**
   * Called at most 20 times a second with the bytes compared so far, always once at 100 %, never after the promise settled.
   * An exception in it ends the call, which rejects with that exception.
   */
  onProgress?: (progress: Progress) => void
}

/** Options of {@link ModelCache.prune}. */
export interface PruneOptions {
  /**
   * Change nothing, only tell what would go.
   *
   * @defaultValue `false`
   */
  dryRun?: boolean
  /**
   * Most bytes to keep: least recently used quants go until no more are stored. What may not go stays, also where it is more.
   *
   * @defaultValue `maxSize` of the cache, else no quant goes
   */
  maxSize?: number
  /**
   * Milliseconds after which a partial download that nobody goes on with is given up.
   *
   * @defaultValue 7 days
   */
  partialAge?: number
  /**
   * Also remove the plain files that were to be kept (`materialize` with `keep`) and that nobody holds.
   *
   * @defaultValue `false`
   */
  plainFiles?: boolean
}

/** Options of {@link ModelCache.watch}. */
export interface WatchOptions {
  /**
   * Only this repository, by any name it is known by.
   *
   * @defaultValue all
   */
  repo?: string
  /** Ends the watch: the next manifest is then a rejection with `signal.reason`. */
  signal?: AbortSignal
}

/** A range of bytes of a file. */
export interface RangeOptions {
  /**
   * First byte.
   *
   * @defaultValue `0`
   */
  start?: number
  /**
   * Byte after the last one.
   *
   * @defaultValue the file's size
   */
  end?: number
}

export const revisionSchema: Schema<RevisionOptions> = { revision: checkString }

export const scanSchema: Schema<ScanOptions> = {
  ...revisionSchema,
  refresh: checkBoolean,
  headers: checkBoolean,
  signal: checkSignal,
}

export const watchSchema: Schema<WatchOptions> = { repo: checkRepo, signal: checkSignal }

export const getSchema: Schema<GetOptions> = { ...revisionSchema, verify: checkBoolean }

export const downloadSchema: Schema<DownloadOptions> = {
  ...revisionSchema,
  signal: checkSignal,
  onProgress: checkFunction,
  keep: checkBoolean,
}

export const fetchSchema: Schema<DownloadOptions & GetOptions> = { ...downloadSchema, ...getSchema }

export const verifySchema: Schema<VerifyOptions> = {
  repo: checkRepo,
  repair: checkBoolean,
  signal: checkSignal,
  onProgress: checkFunction,
}

export const pruneSchema: Schema<PruneOptions> = {
  dryRun: checkBoolean,
  maxSize: checkInteger(0),
  partialAge: checkInteger(0),
  plainFiles: checkBoolean,
}

export const rangeSchema: Schema<RangeOptions> = { start: checkInteger(0), end: checkInteger(0) }
