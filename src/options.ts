import {
  checkBoolean,
  checkFunction,
  checkInteger,
  checkPaths,
  checkProxy,
  checkRepo,
  checkSignal,
  checkString,
  checkUrl,
  type Schema,
} from './argument.js'
import type { Progress } from './progress.js'

/** Proxies by the scheme of the URLs that are asked through them. */
export interface ProxyOptions {
  /** For `http` URLs. */
  http?: string
  /** For `https` URLs. */
  https?: string
}

/** Options of {@link ModelCache.open}. Explicit options win over the environment. */
export interface OpenOptions {
  /**
   * Folder of the store; made when missing. One store may be open in many processes at once.
   *
   * @defaultValue `MODEL_CACHE_DIR`, else `tabagent/model-cache` in the platform's cache directory
   */
  path?: string
  /**
   * Where repositories are listed and resolved.
   *
   * @defaultValue `HF_ENDPOINT`, else `https://huggingface.co`
   */
  endpoint?: string
  /**
   * Access token; sent to the endpoint's own origin only.
   *
   * @defaultValue `HF_TOKEN`, else the token file of huggingface_hub; none with `HF_HUB_DISABLE_IMPLICIT_TOKEN`
   */
  token?: string
  /**
   * Never use the network: what is not stored fails with `ERR_OFFLINE`.
   *
   * @defaultValue `HF_HUB_OFFLINE`, else `TRANSFORMERS_OFFLINE`, else `false`
   */
  offline?: boolean
  /**
   * Open without the right to write: downloads and removals fail with `ERR_READ_ONLY`.
   *
   * @defaultValue `false`
   */
  readOnly?: boolean
  /**
   * Hand out the stored bytes themselves instead of copies.
   *
   * @defaultValue `true` where the platform can
   */
  zeroCopy?: boolean
  /**
   * Connections of all downloads together, 1 to 64.
   *
   * @defaultValue `8`
   */
  connections?: number
  /**
   * Milliseconds of silence after which a call fails with `ERR_NETWORK`. One connection that stalls while it downloads is
   * replaced long before, within two seconds.
   *
   * @defaultValue `30000`
   */
  stallTimeout?: number
  /**
   * How often a request without progress is tried again before the call fails.
   *
   * @defaultValue `5`
   */
  retries?: number
  /**
   * Bytes per second that all downloads of this cache receive together, at most.
   *
   * @defaultValue no limit
   */
  maxBytesPerSecond?: number
  /**
   * Most bytes to store, of all endpoints together. Before a download that would exceed it, the least recently used
   * complete quants go; never one that is being downloaded, was downloaded with `keep`, or has a file open in this process.
   * Where that is not enough, nothing goes and the download fails with `ERR_NO_SPACE`. What other downloads running now
   * still lack is not counted.
   *
   * @defaultValue no limit
   */
  maxSize?: number
  /**
   * Proxy of all requests, or one for each scheme: `http://[user:password@]host:port`, also with `https`, `socks5` or
   * `socks5h` (which looks up names itself). `{}` means none, whatever the environment says.
   *
   * @defaultValue `HTTPS_PROXY` for https URLs, `HTTP_PROXY` for http URLs, and `ALL_PROXY` where these are not set; each in
   * lower case first
   */
  proxy?: string | ProxyOptions
  /**
   * Hosts that are asked without the proxy, separated by commas: names (with all below them), addresses, networks such as
   * `10.0.0.0/8`, or `*` for all. Addresses of this machine go through the proxy unless they are named here.
   *
   * @defaultValue `NO_PROXY`, in lower case first
   */
  noProxy?: string
  /**
   * PEM files (or folders of them) with certificates of authorities to trust besides those of the system: of a company's
   * proxy, or of a Hub of one's own. One that cannot be read is refused with `ERR_INVALID_ARGUMENT`.
   *
   * @defaultValue the files that `SSL_CERT_FILE`, `REQUESTS_CA_BUNDLE`, `CURL_CA_BUNDLE` and `NODE_EXTRA_CA_CERTS` name
   */
  certificateAuthority?: string | string[]
}

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
   * endpoint does not give fails the call; the listing is stored by then.
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

export const openSchema: Schema<OpenOptions> = {
  path: checkString,
  endpoint: checkUrl,
  token: checkString,
  offline: checkBoolean,
  readOnly: checkBoolean,
  zeroCopy: checkBoolean,
  connections: checkInteger(1, 64),
  stallTimeout: checkInteger(1),
  retries: checkInteger(0, 1000),
  maxBytesPerSecond: checkInteger(1),
  maxSize: checkInteger(1),
  proxy: checkProxy,
  noProxy: checkString,
  certificateAuthority: checkPaths,
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
