import { resolve } from 'node:path'
import { type CallOptions, runNative, type Start, splitCall, withSignal } from './abort.js'
import { checkFile, checkOptions, checkRepo, checkString } from './argument.js'
import type { NativeCache } from './binding.js'
import { type CachedFile, wrapFile } from './cached-file.js'
import { hfCacheFolder } from './environment-variables.js'
import { callNative } from './errors.js'
import { type ExportOptions, type ExportReport, exportSchema } from './export.js'
import { type ImportOptions, type ImportReport, importSchema } from './import.js'
import { type Inspection, type InspectOptions, inspectSchema, toInspection } from './inspection.js'
import { type FileInfo, type Manifest, toManifest } from './manifest.js'
import { type OnnxModel, type OnnxModelOptions, onnxModelSchema, wrapOnnxModel } from './onnx-model.js'
import type { OpenOptions } from './open-options.js'
import { type Opening, openNative, withDefaults } from './opening.js'
import {
  type DownloadOptions,
  downloadSchema,
  fetchSchema,
  type GetOptions,
  getSchema,
  type PruneOptions,
  pruneSchema,
  type RevisionOptions,
  revisionSchema,
  type ScanOptions,
  scanSchema,
  type VerifyOptions,
  verifySchema,
  type WatchOptions,
  watchSchema,
} from './options.js'
import { type MaterializeOptions, materializeSchema, type PlainFiles, wrapPlainFiles } from './plain-files.js'
import type { CacheStats, PruneReport, RemoveReport, VerifyReport } from './report.js'
import { defaultRuntime, type Runtime } from './runtime.js'
import { ManifestWatch } from './watch.js'

/** What a cache tells of the options it was opened with. */
interface Access {
  offline: boolean
  authenticated: boolean
}

let wrapCache: (runtime: Runtime, native: NativeCache, access: Access) => ModelCache

/** Opens a store with any runtime, whatever the environment says. */
export async function openCache(runtime: Runtime, options: Opening): Promise<ModelCache> {
  const native = await openNative(runtime, options)
  return wrapCache(runtime, native, {
    offline: options.offline ?? false,
    authenticated: options.token !== undefined,
  })
}

/**
 * A store of model files on this machine. Any number of processes and threads may have the same one open.
 *
 * Every call fails with a {@link ModelCacheError}; `ERR_INVALID_ARGUMENT` for an unknown option or a wrong type, and
 * `ERR_CLOSED` after `close()`, are common to all.
 *
 * @example
 * ```ts
 * await using cache = await ModelCache.open()
 * const manifest = await cache.scanRepo('onnx-community/all-MiniLM-L6-v2-ONNX')
 * console.log(Object.keys(manifest.quants))
 * await cache.downloadQuant(manifest.repo, 'q8', { onProgress: ({ loaded, total }) => console.log(loaded / total) })
 * const model = cache.getFile(manifest.repo, 'onnx/model_quantized.onnx')
 * console.log(model?.buffer.length)
 * ```
 */
export class ModelCache implements AsyncDisposable {
  /** Absolute path of the store's folder. */
  readonly path: string
  /** Where repositories are listed and resolved. */
  readonly endpoint: string
  /** Whether the network is never used. */
  readonly offline: boolean
  /** Whether a token goes with the requests to the endpoint; never the token itself. */
  readonly authenticated: boolean
  readonly #runtime: Runtime
  readonly #native: NativeCache

  static {
    wrapCache = (runtime, native, access) => new ModelCache(runtime, native, access)
  }

  private constructor(runtime: Runtime, native: NativeCache, access: Access) {
    this.path = native.path
    this.endpoint = native.endpoint
    this.offline = access.offline
    this.authenticated = access.authenticated
    this.#runtime = runtime
    this.#native = native
  }

  /**
   * Opens the store, and makes it where there is none.
   *
   * Fails with `ERR_VERSION_MISMATCH` for a store of a newer format, `ERR_READ_ONLY` where the folder cannot be written,
   * `ERR_UNSUPPORTED_FILESYSTEM`, `ERR_CORRUPT` or `ERR_IO`.
   */
  static async open(options?: OpenOptions): Promise<ModelCache> {
    return openCache(defaultRuntime(), await withDefaults(options))
  }

  /**
   * Lists a repository and sorts its files into quants, with one request; with none for a commit that was scanned before.
   * For a branch that was, the request is conditional: where nothing has changed, no listing is sent again. Offline, or
   * when the endpoint does not answer that request (no network, overload, a server error: there is no second try then),
   * it answers from what was scanned before, and says so with `stale`. Everything else takes the newest scanned listing
   * of a branch as it is. With `headers` there are more requests, for quants that no name tells apart.
   *
   * Fails with `ERR_REPO_NOT_FOUND`, `ERR_REVISION_NOT_FOUND`, `ERR_UNAUTHORIZED`, `ERR_GATED`, `ERR_RATE_LIMITED`,
   * `ERR_OFFLINE`, `ERR_NETWORK` or `ERR_HTTP`.
   *
   * @param repo - `name` or `owner/name`.
   */
  async scanRepo(repo: string, options?: ScanOptions): Promise<Manifest> {
    checkRepo(repo, 'repo')
    const { signal, ...native } = checkOptions(options, scanSchema)
    const manifest = await this.#run(withSignal(signal), (operation) =>
      this.#native.scanRepo(repo, native, operation),
    )
    return toManifest(manifest)
  }

  /** What the last scan of the revision found, with the quants' present state; `undefined` if it was never scanned. */
  getManifest(repo: string, options?: RevisionOptions): Manifest | undefined {
    checkRepo(repo, 'repo')
    const { revision } = checkOptions(options, revisionSchema)
    const manifest = callNative(() => this.#native.getManifest(repo, revision))
    return manifest ? toManifest(manifest) : undefined
  }

  /** The manifests of all scanned revisions of all repositories. */
  listManifests(): Manifest[] {
    return callNative(() => this.#native.listManifests()).map(toManifest)
  }

  /**
   * Downloads every file of a quant that is not stored yet. Callers of the same quant, in this and other processes,
   * share one transfer; what an interrupted one stored is not fetched again. Scans the repository if that was not done.
   *
   * Fails with what `scanRepo` fails with, and `ERR_QUANT_NOT_FOUND`, `ERR_INTEGRITY`, `ERR_NO_SPACE`, `ERR_READ_ONLY`,
   * `ERR_IO`, or `ERR_IN_USE` where the process that downloads it is stopped.
   *
   * @param quant - Name of one of the manifest's quants, in any case.
   */
  async downloadQuant(repo: string, quant: string, options?: DownloadOptions): Promise<Manifest> {
    checkRepo(repo, 'repo')
    checkString(quant, 'quant')
    const { call, native } = splitCall(checkOptions(options, downloadSchema))
    const manifest = await this.#run(call, (operation, nudge) =>
      this.#native.downloadQuant(repo, quant, native, operation, nudge),
    )
    return toManifest(manifest)
  }

  /** Downloads one file that is not stored yet; as `downloadQuant`, but `ERR_FILE_NOT_FOUND`. */
  async downloadFile(repo: string, path: string, options?: DownloadOptions): Promise<FileInfo> {
    checkFile(repo, path)
    const { call, native } = splitCall(checkOptions(options, downloadSchema))
    return this.#run(call, (operation, nudge) =>
      this.#native.downloadFile(repo, path, native, operation, nudge),
    )
  }

  /** Whether all bytes of the file are stored. Never uses the network. */
  hasFile(repo: string, path: string, options?: RevisionOptions): boolean {
    checkFile(repo, path)
    const { revision } = checkOptions(options, revisionSchema)
    return callNative(() => this.#native.hasFile(repo, path, revision))
  }

  /**
   * Opens a stored file; `undefined` if it is not stored. Never uses the network and copies nothing.
   *
   * Throws `ERR_CORRUPT` where the store is damaged.
   */
  getFile(repo: string, path: string, options?: GetOptions): CachedFile | undefined {
    checkFile(repo, path)
    const { revision, verify = false } = checkOptions(options, getSchema)
    const file = callNative(() => this.#native.getFile(repo, path, revision))
    return file ? wrapFile(this.#runtime, file, verify) : undefined
  }

  /** Opens a file, which is downloaded first where it is not stored; fails as `downloadFile` does. */
  async fetchFile(repo: string, path: string, options?: DownloadOptions & GetOptions): Promise<CachedFile> {
    checkFile(repo, path)
    const { verify = false, ...download } = checkOptions(options, fetchSchema)
    const { call, native } = splitCall(download)
    const file = await this.#run(
      call,
      (operation, nudge) => this.#native.fetchFile(repo, path, native, operation, nudge),
      (late) => late.close(),
    )
    return wrapFile(this.#runtime, file, verify)
  }

  /**
   * The path of a stored ONNX model, for ONNX Runtime and what is built on it: of a small file that says where in the store the
   * weights are, those in the model itself and those in files beside it. An engine maps them from there instead of reading a
   * copy. Never uses the network. Weights that lie across a multiple of 100 MiB of their file are copied for as long as somebody
   * uses the model (on btrfs and XFS without taking room).
   *
   * Unlike `getFile`, which has `undefined` for it, this fails with `ERR_FILE_NOT_FOUND` where the model or a file with its
   * weights is not stored: the message names the file. `ERR_INVALID_ARGUMENT` also says that it is no ONNX model, or names weights
   * outside its own folder. `ERR_READ_ONLY` for a cache opened with `readOnly`, which has `getFile` for its bytes;
   * `ERR_UNSUPPORTED_FILESYSTEM` on Windows, where no other program can read the store; `ERR_TOO_LARGE`, `ERR_NO_SPACE`, `ERR_IO`.
   */
  async onnxModel(repo: string, path: string, options?: OnnxModelOptions): Promise<OnnxModel> {
    checkFile(repo, path)
    const { signal, revision } = checkOptions(options, onnxModelSchema)
    const model = await this.#run(
      withSignal(signal),
      (operation) => this.#native.onnxModel(repo, path, revision, operation),
      (late) => late.close(),
    )
    return wrapOnnxModel(this.#runtime, model)
  }

  /**
   * Reads what a safetensors, GGUF or ONNX file says of itself: its tensors with their places, and its metadata. Of a file that is
   * not stored only the bytes that say so are fetched, in as few requests as its format allows (of ONNX the bytes between the
   * weights, up to some hundred requests); they are kept, and a download does not fetch them again. They take their own room
   * on the disk, but where there is none for the whole file nothing is kept. Files under 64 KiB and those with a git digest are
   * downloaded. What was read of a file that is not stored is checked against no digest.
   *
   * Fails with what `scanRepo` fails with, and `ERR_FILE_NOT_FOUND`; `ERR_INVALID_ARGUMENT` also for a file that is none of
   * these, or is damaged in the repository itself.
   *
   * @example
   * ```ts
   * const { architecture, parameters, tensors } = await cache.inspect('acme/model', 'model-Q4_K_M.gguf')
   * console.log(architecture, parameters, tensors[0]?.dtype)
   * ```
   */
  async inspect(repo: string, path: string, options?: InspectOptions): Promise<Inspection> {
    checkFile(repo, path)
    const { signal, revision } = checkOptions(options, inspectSchema)
    const inspection = await this.#run(withSignal(signal), (operation) =>
      this.#native.inspect(repo, path, revision, operation),
    )
    return toInspection(inspection)
  }

  /** The stored files of a revision. */
  listFiles(repo: string, options?: RevisionOptions): FileInfo[] {
    checkRepo(repo, 'repo')
    const { revision } = checkOptions(options, revisionSchema)
    return callNative(() => this.#native.listFiles(repo, revision))
  }

  /**
   * Removes a file, and its bytes unless other files share them. Views of it stay right. Fails with `ERR_FILE_NOT_FOUND`,
   * with `ERR_IN_USE` while a process downloads a quant that needs it, `ERR_READ_ONLY` or `ERR_IO`.
   */
  async removeFile(repo: string, path: string, options?: RevisionOptions): Promise<RemoveReport> {
    checkFile(repo, path)
    const { revision } = checkOptions(options, revisionSchema)
    return this.#run({}, () => this.#native.removeFile(repo, path, revision))
  }

  /**
   * Removes the files of a quant that no other stored quant needs; fails as `removeFile`, and with `ERR_REPO_NOT_FOUND` or
   * `ERR_QUANT_NOT_FOUND`.
   */
  async removeQuant(repo: string, quant: string, options?: RevisionOptions): Promise<RemoveReport> {
    checkRepo(repo, 'repo')
    checkString(quant, 'quant')
    const { revision } = checkOptions(options, revisionSchema)
    return this.#run({}, () => this.#native.removeQuant(repo, quant, revision))
  }

  /**
   * Removes what is stored and known of a repository: of one revision where it is named, else of all. Fails as `removeFile`,
   * and with `ERR_REPO_NOT_FOUND`.
   */
  async removeRepo(repo: string, options?: RevisionOptions): Promise<RemoveReport> {
    checkRepo(repo, 'repo')
    const { revision } = checkOptions(options, revisionSchema)
    return this.#run({}, () => this.#native.removeRepo(repo, revision))
  }

  /**
   * Writes all files of a stored quant as plain files below `directory`, under their listed paths, with the folders they
   * need. Each is complete and durable or not there at all. Nothing outside `directory` is written: names that lead elsewhere
   * are refused and links below it are not followed.
   *
   * Fails with `ERR_INVALID_ARGUMENT` where a file exists and `overwrite` is not set, `ERR_QUANT_NOT_FOUND`,
   * `ERR_REPO_NOT_FOUND` or `ERR_FILE_NOT_FOUND` where it is not stored, `ERR_UNSUPPORTED_FILESYSTEM` for `link: 'reflink'`
   * where that is not possible, `ERR_NO_SPACE` or `ERR_IO`.
   */
  async exportQuant(
    repo: string,
    quant: string,
    directory: string,
    options?: ExportOptions,
  ): Promise<ExportReport> {
    checkRepo(repo, 'repo')
    checkString(quant, 'quant')
    checkString(directory, 'directory')
    const { call, native } = splitCall(checkOptions(options, exportSchema))
    const destination = resolve(directory)
    return this.#run(call, (operation, nudge) =>
      this.#native.exportQuant(repo, quant, { ...native, destination }, operation, nudge),
    )
  }

  /**
   * Writes one stored file as the plain file `destination`, whose parent folders are made; fails as `exportQuant` does.
   *
   * @param destination - Path of the file to write, not of a folder.
   */
  async exportFile(
    repo: string,
    path: string,
    destination: string,
    options?: ExportOptions,
  ): Promise<ExportReport> {
    checkFile(repo, path)
    checkString(destination, 'destination')
    const { call, native } = splitCall(checkOptions(options, exportSchema))
    return this.#run(call, (operation, nudge) =>
      this.#native.exportFile(repo, path, { ...native, destination: resolve(destination) }, operation, nudge),
    )
  }

  /**
   * Holds plain files of a stored file (with its numbered parts) or of a quant, for engines that want a path. All callers and
   * processes that want the same share them. They share their disk blocks with the store where the file system can (btrfs and
   * XFS); elsewhere the first caller copies them, and `copied` says how many bytes that took on the disk beside the store: no
   * size limit counts them, `stats()` does. They are removed with the last handle, however its process ends, or with `keep`
   * when their bytes are removed from the store. Stored bytes are taken as they are: `verify()` finds damage.
   *
   * Fails as `exportFile` does, with `ERR_QUANT_NOT_FOUND` for what looks like the name of a quant, and with `ERR_READ_ONLY`.
   *
   * @param pathOrQuant - Path of a file, else name of a quant.
   */
  async materialize(repo: string, pathOrQuant: string, options?: MaterializeOptions): Promise<PlainFiles> {
    checkRepo(repo, 'repo')
    checkString(pathOrQuant, 'pathOrQuant')
    const { call, native } = splitCall(checkOptions(options, materializeSchema))
    const files = await this.#run(
      call,
      (operation, nudge) => this.#native.materialize(repo, pathOrQuant, native, operation, nudge),
      (late) => void late.close(),
    )
    return wrapPlainFiles(files)
  }

  /**
   * Compares every stored byte with the checksum it had when it was stored, as fast as the disk and the memory allow, and
   * finds what is missing and what nobody refers to. Damage is no error but in the report; what is served stays the same,
   * except that files whose bytes are gone do not count as stored any more. With `repair` damaged records are made again from
   * others, just the damaged blocks are fetched again, and files whole whose bytes cannot be told from others; what cannot be
   * repaired stays as it is, and the report says why.
   *
   * Fails with `ERR_READ_ONLY` (only with `repair`), `ERR_REPO_NOT_FOUND` for a repository that is not in the store,
   * `ERR_CORRUPT` where the store's records themselves are damaged, or `ERR_IO`.
   *
   * @example
   * ```ts
   * const { damaged } = await cache.verify({ repair: true })
   * for (const { repo, path, offset, repaired, why } of damaged) console.error(repo, path, offset, repaired ? 'repaired' : why)
   * ```
   */
  async verify(options?: VerifyOptions): Promise<VerifyReport> {
    const { call, native } = splitCall(checkOptions(options, verifySchema))
    return this.#run(call, (operation, nudge) => this.#native.verify(native, operation, nudge))
  }

  /**
   * Takes models from a cache folder of huggingface_hub, without any network: every file whose bytes have the digest that
   * its name in the folder says. They share their disk blocks with the folder where the file system can (btrfs and XFS),
   * and are copied otherwise; the folder is left as it is.
   *
   * Where the commit was not scanned, its manifest then names only the files that were there, and is `stale`. The next scan
   * or download of the revision asks the endpoint, and what does not agree with its answer is forgotten. A quant with numbered
   * parts of which some are missing is not among its quants.
   *
   * Fails with `ERR_INVALID_ARGUMENT` for a folder that cannot be read, `ERR_REPO_NOT_FOUND` where it does not have `repo`,
   * `ERR_NO_SPACE`, `ERR_READ_ONLY` or `ERR_IO`.
   *
   * @param directory - Default: `HF_HUB_CACHE`, else `hub` in `HF_HOME`, else `huggingface/hub` in the user's cache folder.
   */
  async importHfCache(directory?: string, options?: ImportOptions): Promise<ImportReport> {
    if (directory !== undefined) checkString(directory, 'directory')
    const { call, native } = splitCall(checkOptions(options, importSchema))
    const folder = resolve(directory ?? hfCacheFolder())
    return this.#run(call, (operation, nudge) =>
      this.#native.importHfCache(folder, native.repo, operation, nudge),
    )
  }

  /**
   * Removes what nobody needs, and gives free space back to the disk: what processes that died left behind, partial downloads
   * that nobody went on with for a week, and down to `maxSize` the least recently used quants, complete or begun, never one
   * that is being downloaded, was downloaded with `keep`, or has a file open in this process. Views stay right.
   *
   * Fails with `ERR_READ_ONLY` (unless `dryRun`), `ERR_CORRUPT` where the store's records are damaged, `ERR_NO_SPACE` or
   * `ERR_IO`.
   *
   * @example
   * ```ts
   * const { quants, freed } = await cache.prune({ dryRun: true, maxSize: 50e9 })
   * console.log(`${quants.length} quants would go, ${freed} bytes`)
   * ```
   */
  async prune(options?: PruneOptions): Promise<PruneReport> {
    const native = checkOptions(options, pruneSchema)
    const { removed, ...report } = await this.#run({}, () => this.#native.prune(native))
    return { ...removed, ...report }
  }

  /**
   * Watches manifests: first the present one of every scanned revision of every repository, then each that changes,
   * whichever process changes it: scans, the progress of downloads, their end or failure, removals. A change is seen within
   * about 0.2 seconds. Whoever is slow is not shown what is over: each repository and revision waits once, with its newest
   * state. What is removed from the store is shown once more, with nothing stored.
   *
   * A watch costs next to nothing while nothing changes, and holds no process open once it has shown the present state: a program
   * that does nothing but watch ends then, unless something else keeps it. It ends with `close()` of the cache, `return()` (which
   * leaving a `for await` calls), or the signal.
   *
   * @example
   * ```ts
   * const alive = setInterval(() => {}, 1e9) // holds the process open
   * for await (const { repo, quants } of cache.watch({ signal })) {
   *   for (const { name, status, downloaded, size } of Object.values(quants)) console.log(repo, name, status, downloaded / size)
   * }
   * ```
   */
  watch(options?: WatchOptions): AsyncIterableIterator<Manifest> {
    return new ManifestWatch(this.#native, checkOptions(options, watchSchema))
  }

  /** What the store holds now. */
  stats(): CacheStats {
    return callNative(() => this.#native.stats())
  }

  /**
   * Ends this cache: its running downloads fail with `ERR_CLOSED` and keep what they stored. Views stay valid. Closing
   * again does nothing.
   */
  async close(): Promise<void> {
    await this.#run({}, () => this.#native.close())
  }

  /** The same as `close()`, for `await using`. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.close()
  }

  #run<T>(call: CallOptions, start: Start<T>, discard?: (late: T) => void): Promise<T> {
    return runNative(this.#runtime.binding, call, start, discard)
  }
}
