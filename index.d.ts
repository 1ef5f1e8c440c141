/**
 * A stored file, open for reading.
 *
 * All handles of the same content share one view. The buffers are writable, but a write is private to the process and
 * never reaches the store. They cannot be transferred to another thread: open the file there, it is the same memory.
 *
 * A view ends when its last handle is closed (its buffers then have length 0), or when neither handles nor buffers are
 * referenced any more. A handle that was dropped without `close()` while a buffer of it is in use keeps that buffer.
 *
 * @example
 * ```ts
 * using file = await cache.fetchFile('onnx-community/all-MiniLM-L6-v2-ONNX', 'onnx/model.onnx')
 * const session = await InferenceSession.create(file.buffer)
 * ```
 */
export declare class CachedFile implements Disposable {
    #private;
    /** Repository, as the endpoint writes it. */
    readonly repo: string;
    /** Path within the repository. */
    readonly path: string;
    /** Commit these are the bytes of. */
    readonly commit: string;
    /** Bytes. */
    readonly size: number;
    /** What the bytes were checked against. */
    readonly digest: Digest;
    /** Whether buffers show the stored bytes themselves; small files, and all where the platform forbids it, are copied. */
    readonly zeroCopy: boolean;
    private constructor();
    /**
     * The whole file in one piece.
     *
     * Throws `ERR_TOO_LARGE` over this Node's limit (4 GiB on Node 20), `ERR_CORRUPT` where `verify` finds damage,
     * `ERR_CLOSED` after `close()`.
     */
    get buffer(): Buffer;
    /**
     * The file as consecutive pieces of at most 100 MiB, for files of any size on any Node.
     *
     * @example
     * ```ts
     * for (const piece of file.chunks()) hash.update(piece)
     * ```
     */
    chunks(): Iterable<Buffer>;
    /**
     * A part of the file; works past the size limit of `buffer`. Arguments as in `Buffer.subarray`: negative ones count
     * from the end, and what lies outside the file is left out.
     *
     * @param start - First byte.
     * @param end - Byte after the last one; the file's size by default.
     */
    subarray(start: number, end?: number): Buffer;
    /** The memory of `buffer` itself, not a copy. With `verify` the check runs off this thread. */
    arrayBuffer(): Promise<ArrayBuffer>;
    /** Like `arrayBuffer()`, as bytes. */
    bytes(): Promise<Uint8Array>;
    /** The file decoded as UTF-8; `ERR_TOO_LARGE` over this Node's longest string. */
    text(): Promise<string>;
    /** The file parsed as JSON; a `SyntaxError` if it is none. */
    json(): Promise<any>;
    /** The bytes as a stream of zero-copy pieces, read as they are asked for. It fails with `ERR_CLOSED` after `close()`. */
    stream(options?: RangeOptions): ReadableStream<Uint8Array>;
    /** A Response whose `arrayBuffer()` is the view itself, for libraries that take what `fetch` returns. */
    response(): Response;
    /**
     * Where the bytes lie in the store's data file, in order, for engines that take a path and an offset. Empty for small
     * files, which have no place of their own.
     *
     * Valid until `close()`, and from the first call on only `close()` ends the view: an engine's use of the file is not
     * visible to garbage collection.
     */
    extents(): Extent[];
    /** Ends this handle; with the last one of the same content its buffers become empty. Closing again does nothing. */
    close(): void;
    /** The same as `close()`, for `using`. */
    [Symbol.dispose](): void;
}

/** What the store holds now. Repositories, quants and files are those of this endpoint, the rest is the whole store's. */
export declare interface CacheStats {
    /** Repositories that were scanned. */
    repos: number;
    /** Quants that are complete. */
    quants: number;
    /** Stored files, counted once per commit. */
    files: number;
    /** Distinct contents. */
    blobs: number;
    /** Bytes of the complete ones. */
    bytes: number;
    /** Bytes that unfinished downloads have stored. */
    partialBytes: number;
    /** Bytes free inside the store, for the next download. */
    reusable: number;
    /** Bytes the store takes on the disk. */
    diskBytes: number;
    /** Plain files made by `materialize`. */
    plainFiles: number;
    /** Bytes of these, not part of `diskBytes`; where they share blocks with the store they take no room of their own. */
    plainBytes: number;
    /** Read transactions open now, of all processes. */
    readers: number;
    /** Views of files that buffers of this process show. */
    views: number;
}

/** Digest of a file, as the endpoint announced it. */
export declare interface Digest {
    /** `sha256` of the bytes, or `git-sha1` of a git blob (small files). */
    algorithm: 'sha256' | 'git-sha1';
    /** Lower-case hexadecimal. */
    value: string;
}

/** Options of the downloading calls. */
export declare interface DownloadOptions extends RevisionOptions {
    /** Ends this call with `signal.reason` at once. The transfer goes on while another caller wants it; what is stored stays. */
    signal?: AbortSignal;
    /**
     * Called at most 20 times a second, always once at 100 %, never after the promise settled. It holds no process open;
     * the download does. An exception in it ends the call, which rejects with that exception; what is stored stays.
     */
    onProgress?: (progress: Progress) => void;
    /**
     * Mark what is downloaded as never to be evicted to make room.
     *
     * @defaultValue `false`
     */
    keep?: boolean;
}

/**
 * What went wrong, by what the caller can do about it.
 *
 * - `ERR_INVALID_ARGUMENT`: an argument or option has the wrong type or value; the message names it.
 * - `ERR_REPO_NOT_FOUND`, `ERR_REVISION_NOT_FOUND`, `ERR_FILE_NOT_FOUND`, `ERR_QUANT_NOT_FOUND`: the name is not there.
 * - `ERR_UNAUTHORIZED`: the endpoint wants a token, or refuses this one. `ERR_GATED`: access must be asked for first.
 * - `ERR_RATE_LIMITED`: try again after `retryAfter` seconds. `ERR_OFFLINE`: the call needs the network.
 * - `ERR_NETWORK`: no answer after all retries. `ERR_HTTP`: an answer with the unexpected `status`.
 * - `ERR_INTEGRITY`: the bytes received are not those the endpoint announced; nothing of them was kept.
 * - `ERR_NO_SPACE`: the disk, or `maxSize`, has no room for `needed` bytes, only for `available`.
 * - `ERR_CORRUPT`: stored bytes are damaged. `ERR_IN_USE`: something else holds what the call wants to change.
 * - `ERR_READ_ONLY`: the store is opened read-only, or its folder cannot be written. `ERR_CLOSED`: cache or handle is closed.
 * - `ERR_TOO_LARGE`: larger than this Node's buffers, strings or mappings; `chunks()`, `subarray()` and `stream()` go further.
 * - `ERR_VERSION_MISMATCH`: the store or the addon is of another version than this package.
 * - `ERR_UNSUPPORTED_FILESYSTEM`: the folder's file system cannot hold the store, or share blocks with it.
 * - `ERR_IO`: any other failure of the system.
 */
export declare type ErrorCode = (typeof errorCodes)[number];

/** Every value of {@link ErrorCode}; the same list as in the Rust core. */
export declare const errorCodes: readonly ['ERR_INVALID_ARGUMENT', 'ERR_REPO_NOT_FOUND', 'ERR_REVISION_NOT_FOUND', 'ERR_FILE_NOT_FOUND', 'ERR_QUANT_NOT_FOUND', 'ERR_UNAUTHORIZED', 'ERR_GATED', 'ERR_RATE_LIMITED', 'ERR_OFFLINE', 'ERR_NETWORK', 'ERR_HTTP', 'ERR_INTEGRITY', 'ERR_NO_SPACE', 'ERR_CORRUPT', 'ERR_IN_USE', 'ERR_READ_ONLY', 'ERR_CLOSED', 'ERR_TOO_LARGE', 'ERR_VERSION_MISMATCH', 'ERR_UNSUPPORTED_FILESYSTEM', 'ERR_IO'];

/** What an error says beside its message; each field is there only where it means something. */
export declare interface ErrorFields {
    /** Repository the call was about. */
    repo?: string;
    /** File of the repository, or path on this machine. */
    path?: string;
    /** Address that was asked, without its query. */
    url?: string;
    /** HTTP status of the answer. */
    status?: number;
    /** Seconds to wait before the next try. */
    retryAfter?: number;
    /** Digest or value that was announced. */
    expected?: string;
    /** Digest or value that was found. */
    actual?: string;
    /** Bytes the call needs. */
    needed?: number;
    /** Bytes that are free. */
    available?: number;
}

/** Options of the exporting calls. */
export declare interface ExportOptions extends RevisionOptions {
    /**
     * How the plain files come by their bytes. `reflink` shares the disk blocks of the store, at once and without room on the
     * disk, and fails with `ERR_UNSUPPORTED_FILESYSTEM` where the file system cannot (btrfs and XFS can). `copy` copies them
     * always. `auto` shares where that is possible and copies otherwise. A change on one side never shows on the other.
     * Files under 64 KiB have no blocks of their own and are always copied.
     *
     * @defaultValue `'auto'`
     */
    link?: 'auto' | 'reflink' | 'copy';
    /**
     * Replace files that exist, whatever they hold. Without it the call fails before it writes anything.
     *
     * @defaultValue `false`
     */
    overwrite?: boolean;
    /** Ends this call with `signal.reason`; the file being written is dropped, those written before it stay. */
    signal?: AbortSignal;
    /**
     * Called at most 20 times a second, always once at 100 %, never after the promise settled. An exception in it ends the
     * call, which rejects with that exception.
     */
    onProgress?: (progress: Progress) => void;
}

/** What an export wrote. */
export declare interface ExportReport {
    files: {
        /** Path within the repository. */
        path: string;
        /** Absolute path of the plain file. */
        destination: string;
        /** Bytes. */
        size: number;
        /** How it came by its bytes. */
        method: 'reflink' | 'copy';
    }[];
}

/** Where bytes of a file lie. */
export declare interface Extent {
    /** Absolute path of the store's data file. */
    file: string;
    /** Offset of the first byte in it. */
    offset: number;
    /** Bytes. */
    length: number;
}

/** One file of a repository. */
export declare interface FileInfo {
    /** Path within the repository, with `/`. */
    path: string;
    /** Bytes. */
    size: number;
    digest: Digest;
    /** What the file is for: `weights`, `external-data`, `tokenizer`, `config`, `projector`, `draft`, `imatrix`, ... */
    role: string;
    /** Whether all its bytes are in the store. */
    stored: boolean;
}

/** How far one file of a download is. */
export declare interface FileProgress {
    /** Path within the repository. */
    path: string;
    /** Bytes that are stored. */
    loaded: number;
    /** Size of the file. */
    total: number;
}

/** Options of {@link ModelCache.getFile}. */
export declare interface GetOptions extends RevisionOptions {
    /**
     * Check the checksum of each 4 MiB block when it is first handed out; a damaged one throws `ERR_CORRUPT`.
     *
     * @defaultValue `false`: the bytes were checked when they were stored
     */
    verify?: boolean;
}

/** An input or output of an ONNX graph. */
export declare interface GraphPort {
    name: string;
    /** As of a tensor; `SEQUENCE`, `MAP` or `OPTIONAL` for what is no tensor. */
    dtype: string;
    /** Outermost first; a name, which may be empty, stands for any size. */
    shape: (number | string)[];
}

/** A file that was imported. */
export declare interface ImportedFile extends FileInfo {
    repo: string;
    commit: string;
}

/** Options of {@link ModelCache.importHfCache}. */
export declare interface ImportOptions {
    /**
     * Only this repository.
     *
     * @defaultValue all models of the folder
     */
    repo?: string;
    /** Ends this call with `signal.reason`; what was imported before stays. */
    signal?: AbortSignal;
    /**
     * Called at most 20 times a second, always once at 100 %, never after the promise settled. An exception in it ends the
     * call, which rejects with that exception.
     */
    onProgress?: (progress: Progress) => void;
}

/** What an import did. */
export declare interface ImportReport {
    /** Files that are stored now and were not before. */
    imported: ImportedFile[];
    /** What was left alone, by its path in the folder. */
    skipped: {
        path: string;
        why: string;
    }[];
    /** Bytes of the imported files. */
    bytes: number;
}

/** What a model file says of itself. */
export declare interface Inspection {
    /** The name the endpoint gives the repository. */
    repo: string;
    /** Path within the repository. */
    path: string;
    /** The commit it belongs to. */
    commit: string;
    /** Bytes of the whole file. */
    size: number;
    format: 'safetensors' | 'gguf' | 'onnx';
    /** Version of the format: of GGUF its own, of ONNX the `ir_version`. */
    version?: number;
    /** Such as `llama`; only of GGUF. */
    architecture?: string;
    /** Program that wrote it, such as `pytorch 2.6.0`; only of ONNX. */
    producer?: string;
    /** Numbers in all tensors. Where several are packed into one (GPTQ, AWQ), that counts as one. */
    parameters: number;
    /** In the order of their bytes in safetensors, else in that of the file; of ONNX also those of subgraphs and `Constant` nodes. */
    tensors: TensorInfo[];
    /**
     * What else the file says, by key: `__metadata__` of safetensors, all keys of GGUF, `metadata_props` of ONNX. Of an array with
     * more than 1024 values (a vocabulary) only `{ type: 'string' | 'number', length }`. Whole numbers past 2^53 are rounded.
     */
    metadata: Record<string, MetadataValue>;
    /** Only of ONNX. */
    graph?: {
        /** Version of each set of operators, by domain; the standard one is `ai.onnx`. */
        opsets: Record<string, number>;
        /** Without those that only name weights. */
        inputs: GraphPort[];
        outputs: GraphPort[];
    };
}

/** Options of {@link ModelCache.inspect}. */
export declare interface InspectOptions extends RevisionOptions {
    /** Ends this call with `signal.reason` at once. */
    signal?: AbortSignal;
}

/**
 * Whether `error` is a {@link ModelCacheError}, and of this `code` where one is given. Unlike `instanceof` it also
 * recognizes errors of another copy of this package and of another realm (`node:vm`, test runners).
 */
export declare function isModelCacheError(error: unknown, code?: ErrorCode): error is ModelCacheError;

/** What is known of one revision of a repository. */
export declare interface Manifest {
    /** The name the endpoint gives it, which may differ in case from the one asked for. */
    repo: string;
    /** Branch, tag or commit that was asked for. */
    revision: string;
    /** The commit it stood for; files are always those of one commit. */
    commit: string;
    /** Such as `feature-extraction`. */
    pipelineTask?: string;
    /** Such as `transformers.js`. */
    libraryName?: string;
    license?: string;
    tags: string[];
    /** Whether access must be asked for at the endpoint. */
    gated: boolean;
    /** Whether the endpoint could not be asked: this is the last known state, or what an import found. */
    stale: boolean;
    scannedAt: Date;
    /** By name; the look-up of the calls ignores case. */
    quants: Record<string, Quant>;
    /** Files that every quant needs. */
    sharedFiles: FileInfo[];
}

/** Options of {@link ModelCache.materialize}. */
export declare interface MaterializeOptions extends RevisionOptions {
    /**
     * Leave the files there when nobody holds them any more, for other programs: until their bytes are removed from the store,
     * or `prune({ plainFiles: true })`.
     *
     * @defaultValue `false`
     */
    keep?: boolean;
    /** Ends this call with `signal.reason`; what it had not finished is dropped. */
    signal?: AbortSignal;
    /**
     * Called at most 20 times a second, always once at 100 %, never after the promise settled. Bytes that another process
     * copies are counted when they are there. An exception in it ends the call, which rejects with that exception.
     */
    onProgress?: (progress: Progress) => void;
}

/** A value of a model's metadata. */
export declare type MetadataValue = string | number | boolean | MetadataValue[] | {
    type: string;
    length: number;
};

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
export declare class ModelCache implements AsyncDisposable {
    #private;
    /** Absolute path of the store's folder. */
    readonly path: string;
    /** Where repositories are listed and resolved. */
    readonly endpoint: string;
    /** Whether the network is never used. */
    readonly offline: boolean;
    /** Whether a token goes with the requests to the endpoint; never the token itself. */
    readonly authenticated: boolean;
    private constructor();
    /**
     * Opens the store, and makes it where there is none.
     *
     * Fails with `ERR_VERSION_MISMATCH` for a store of a newer format, `ERR_READ_ONLY` where the folder cannot be written,
     * `ERR_UNSUPPORTED_FILESYSTEM`, `ERR_CORRUPT` or `ERR_IO`.
     */
    static open(options?: OpenOptions): Promise<ModelCache>;
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
    scanRepo(repo: string, options?: ScanOptions): Promise<Manifest>;
    /** What the last scan of the revision found, with the quants' present state; `undefined` if it was never scanned. */
    getManifest(repo: string, options?: RevisionOptions): Manifest | undefined;
    /** The manifests of all scanned revisions of all repositories. */
    listManifests(): Manifest[];
    /**
     * Downloads every file of a quant that is not stored yet. Callers of the same quant, in this and other processes,
     * share one transfer; what an interrupted one stored is not fetched again. Scans the repository if that was not done.
     *
     * Fails with what `scanRepo` fails with, and `ERR_QUANT_NOT_FOUND`, `ERR_INTEGRITY`, `ERR_NO_SPACE`, `ERR_READ_ONLY`,
     * `ERR_IO`, or `ERR_IN_USE` where the process that downloads it is stopped.
     *
     * @param quant - Name of one of the manifest's quants, in any case.
     */
    downloadQuant(repo: string, quant: string, options?: DownloadOptions): Promise<Manifest>;
    /** Downloads one file that is not stored yet; as `downloadQuant`, but `ERR_FILE_NOT_FOUND`. */
    downloadFile(repo: string, path: string, options?: DownloadOptions): Promise<FileInfo>;
    /** Whether all bytes of the file are stored. Never uses the network. */
    hasFile(repo: string, path: string, options?: RevisionOptions): boolean;
    /**
     * Opens a stored file; `undefined` if it is not stored. Never uses the network and copies nothing.
     *
     * Throws `ERR_CORRUPT` where the store is damaged.
     */
    getFile(repo: string, path: string, options?: GetOptions): CachedFile | undefined;
    /** Opens a file, which is downloaded first where it is not stored; fails as `downloadFile` does. */
    fetchFile(repo: string, path: string, options?: DownloadOptions & GetOptions): Promise<CachedFile>;
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
    onnxModel(repo: string, path: string, options?: OnnxModelOptions): Promise<OnnxModel>;
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
    inspect(repo: string, path: string, options?: InspectOptions): Promise<Inspection>;
    /** The stored files of a revision. */
    listFiles(repo: string, options?: RevisionOptions): FileInfo[];
    /**
     * Removes a file, and its bytes unless other files share them. Views of it stay right. Fails with `ERR_FILE_NOT_FOUND`,
     * with `ERR_IN_USE` while a process downloads a quant that needs it, `ERR_READ_ONLY` or `ERR_IO`.
     */
    removeFile(repo: string, path: string, options?: RevisionOptions): Promise<RemoveReport>;
    /**
     * Removes the files of a quant that no other stored quant needs; fails as `removeFile`, and with `ERR_REPO_NOT_FOUND` or
     * `ERR_QUANT_NOT_FOUND`.
     */
    removeQuant(repo: string, quant: string, options?: RevisionOptions): Promise<RemoveReport>;
    /**
     * Removes what is stored and known of a repository: of one revision where it is named, else of all. Fails as `removeFile`,
     * and with `ERR_REPO_NOT_FOUND`.
     */
    removeRepo(repo: string, options?: RevisionOptions): Promise<RemoveReport>;
    /**
     * Writes all files of a stored quant as plain files below `directory`, under their listed paths, with the folders they
     * need. Each is complete and durable or not there at all. Nothing outside `directory` is written: names that lead elsewhere
     * are refused and links below it are not followed.
     *
     * Fails with `ERR_INVALID_ARGUMENT` where a file exists and `overwrite` is not set, `ERR_QUANT_NOT_FOUND`,
     * `ERR_REPO_NOT_FOUND` or `ERR_FILE_NOT_FOUND` where it is not stored, `ERR_UNSUPPORTED_FILESYSTEM` for `link: 'reflink'`
     * where that is not possible, `ERR_NO_SPACE` or `ERR_IO`.
     */
    exportQuant(repo: string, quant: string, directory: string, options?: ExportOptions): Promise<ExportReport>;
    /**
     * Writes one stored file as the plain file `destination`, whose parent folders are made; fails as `exportQuant` does.
     *
     * @param destination - Path of the file to write, not of a folder.
     */
    exportFile(repo: string, path: string, destination: string, options?: ExportOptions): Promise<ExportReport>;
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
    materialize(repo: string, pathOrQuant: string, options?: MaterializeOptions): Promise<PlainFiles>;
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
    verify(options?: VerifyOptions): Promise<VerifyReport>;
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
    importHfCache(directory?: string, options?: ImportOptions): Promise<ImportReport>;
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
    prune(options?: PruneOptions): Promise<PruneReport>;
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
    watch(options?: WatchOptions): AsyncIterableIterator<Manifest>;
    /** What the store holds now. */
    stats(): CacheStats;
    /**
     * Ends this cache: its running downloads fail with `ERR_CLOSED` and keep what they stored. Views stay valid. Closing
     * again does nothing.
     */
    close(): Promise<void>;
    /** The same as `close()`, for `await using`. */
    [Symbol.asyncDispose](): Promise<void>;
}

/**
 * Every failure of this package, thrown or as a rejection, except an abort (which rejects with `signal.reason`).
 *
 * @example
 * ```ts
 * try {
 *   await cache.downloadQuant('owner/name', 'q4')
 * } catch (error) {
 *   if (isModelCacheError(error, 'ERR_NO_SPACE')) console.error(`${error.needed} bytes needed, ${error.available} free`)
 *   else throw error
 * }
 * ```
 */
export declare class ModelCacheError extends Error {
    /** What went wrong, for code to branch on; messages may change. */
    readonly code: ErrorCode;
    /** Repository the call was about. */
    readonly repo?: string;
    /** File of the repository, or path on this machine. */
    readonly path?: string;
    /** Address that was asked, without its query. */
    readonly url?: string;
    /** HTTP status of the answer. */
    readonly status?: number;
    /** Seconds to wait before the next try. */
    readonly retryAfter?: number;
    /** Digest or value that was announced. */
    readonly expected?: string;
    /** Digest or value that was found. */
    readonly actual?: string;
    /** Bytes the call needs. */
    readonly needed?: number;
    /** Bytes that are free. */
    readonly available?: number;
    constructor(code: ErrorCode, message: string, fields?: ErrorFields, options?: ErrorOptions);
}

/**
 * A stored ONNX model as the path of a file, for ONNX Runtime and what is built on it.
 *
 * The file is a stub: the model without its weights, which it says to be in the store's own data file. An engine maps them from
 * there, so that nothing is copied and processes share the memory.
 *
 * It stays valid until `close()`, and only that ends it: an engine's use of the weights is not visible to garbage collection.
 * A session reads them as long as it lives, so close the model after the session is released, never before.
 *
 * @example
 * ```ts
 * const model = await cache.onnxModel('onnx-community/all-MiniLM-L6-v2-ONNX', 'onnx/model.onnx')
 * const session = await InferenceSession.create(model.modelPath)
 * // ...
 * await session.release()
 * model.close()
 * ```
 */
export declare class OnnxModel implements Disposable {
    #private;
    /** Repository, as the endpoint writes it. */
    readonly repo: string;
    /** Path of the model within the repository. */
    readonly path: string;
    /** Commit it belongs to. */
    readonly commit: string;
    /** Absolute path of the stub on this machine: what an engine loads. */
    readonly modelPath: string;
    private constructor();
    /** Lets go of the stub and of the weights it points to. Closing again does nothing. */
    close(): void;
    /** The same as `close()`, for `using`. */
    [Symbol.dispose](): void;
}

/** Options of {@link ModelCache.onnxModel}. */
export declare interface OnnxModelOptions extends RevisionOptions {
    /** Ends this call with `signal.reason` at once. */
    signal?: AbortSignal;
}

/** Options of {@link ModelCache.open}. Explicit options win over the environment. */
export declare interface OpenOptions {
    /**
     * Folder of the store; made when missing. One store may be open in many processes at once.
     *
     * @defaultValue `MODEL_CACHE_DIR`, else `tabagent/model-cache` in the platform's cache directory
     */
    path?: string;
    /**
     * Where repositories are listed and resolved.
     *
     * @defaultValue `HF_ENDPOINT`, else `https://huggingface.co`
     */
    endpoint?: string;
    /**
     * Access token; sent to the endpoint's own origin only.
     *
     * @defaultValue `HF_TOKEN`, else the token file of huggingface_hub; none with `HF_HUB_DISABLE_IMPLICIT_TOKEN`
     */
    token?: string;
    /**
     * Never use the network: what is not stored fails with `ERR_OFFLINE`.
     *
     * @defaultValue `HF_HUB_OFFLINE`, else `TRANSFORMERS_OFFLINE`, else `false`
     */
    offline?: boolean;
    /**
     * Open without the right to write: downloads and removals fail with `ERR_READ_ONLY`.
     *
     * @defaultValue `false`
     */
    readOnly?: boolean;
    /**
     * Hand out the stored bytes themselves instead of copies.
     *
     * @defaultValue `true` where the platform can
     */
    zeroCopy?: boolean;
    /**
     * Connections of all downloads together, 1 to 64.
     *
     * @defaultValue `8`
     */
    connections?: number;
    /**
     * Milliseconds of silence after which a call fails with `ERR_NETWORK`. One connection that stalls while it downloads is
     * replaced long before, within two seconds.
     *
     * @defaultValue `30000`
     */
    stallTimeout?: number;
    /**
     * How often a request without progress is tried again before the call fails.
     *
     * @defaultValue `5`
     */
    retries?: number;
    /**
     * Bytes per second that all downloads of this cache receive together, at most.
     *
     * @defaultValue no limit
     */
    maxBytesPerSecond?: number;
    /**
     * Most bytes to store, of all endpoints together. Before a download that would exceed it, the least recently used
     * quants go, complete or only begun; never one that is being downloaded, was downloaded with `keep`, or has a file open in
     * this process.
     * Where that is not enough, nothing goes and the download fails with `ERR_NO_SPACE`. Downloads that
     * run count as what they will be: those of this cache whole, those of others with the files that they have begun.
     *
     * @defaultValue no limit
     */
    maxSize?: number;
    /**
     * Proxy of all requests, or one for each scheme: `http://[user:password@]host:port`, also with `https`, `socks5` or
     * `socks5h` (which looks up names itself). `{}` means none, whatever the environment says.
     *
     * @defaultValue `HTTPS_PROXY` for https URLs, `HTTP_PROXY` for http URLs, and `ALL_PROXY` where these are not set; each in
     * lower case first
     */
    proxy?: string | ProxyOptions;
    /**
     * Hosts that are asked without the proxy, separated by commas: names (with all below them), addresses, networks such as
     * `10.0.0.0/8`, or `*` for all. Addresses of this machine go through the proxy unless they are named here.
     *
     * @defaultValue `NO_PROXY`, in lower case first
     */
    noProxy?: string;
    /**
     * PEM files (or folders of them) with certificates of authorities to trust besides those of the system: of a company's
     * proxy, or of a Hub of one's own. One that cannot be read is refused with `ERR_INVALID_ARGUMENT`.
     *
     * @defaultValue the files that `SSL_CERT_FILE`, `REQUESTS_CA_BUNDLE`, `CURL_CA_BUNDLE` and `NODE_EXTRA_CA_CERTS` name
     */
    certificateAuthority?: string | string[];
}

/** One plain file. */
export declare interface PlainFile {
    /** Path within the repository. */
    path: string;
    /** Absolute path of the plain file; it is read-only. */
    file: string;
    /** Bytes. */
    size: number;
    /** How it came to be there: it shares its disk blocks with the store, its bytes were copied, or it was there already. */
    method: 'reflink' | 'copy' | 'shared';
}

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
export declare class PlainFiles implements AsyncDisposable {
    #private;
    /** The file for an engine: the one asked for, the first of its numbered parts, or the first with weights of the quant. */
    readonly path: string;
    /** The folder in which the files have their listed paths. */
    readonly folder: string;
    /** All files, in the order of the listing. */
    readonly files: PlainFile[];
    /** Bytes that this call copied, which the files now take on the disk; 0 where blocks are shared, or files were there. */
    readonly copied: number;
    private constructor();
    /**
     * Lets the files go. Resolves when they are removed, unless others hold them or they are kept. Closing again does nothing.
     */
    close(): Promise<void>;
    /** The same as `close()`, for `await using`. */
    [Symbol.asyncDispose](): Promise<void>;
}

/** How far a download is. All sizes are bytes. */
export declare interface Progress {
    /** Repository that is downloaded. */
    repo: string;
    /** Quant that is downloaded; absent when a single file was asked for. */
    quant?: string;
    /** The file now moving. */
    path?: string;
    /**
     * Bytes of the whole call that are stored, those of earlier runs and of other processes included. It falls when a
     * process dies that downloads for this call: what that one had not recorded is fetched again. And when a file turns out
     * to be wrong: it is fetched once more and compared, and the part that was compared counts.
     */
    loaded: number;
    /** Bytes of the whole call. */
    total: number;
    /** Bytes of `path` that are stored. */
    fileLoaded?: number;
    /** Size of `path`. */
    fileTotal?: number;
    /** All files under way, at most 16, in a lasting order; empty at 100 %. */
    files: FileProgress[];
    /** Speed of the last seconds. */
    bytesPerSecond: number;
    /** Bytes that were already stored when the call began. */
    resumedFrom: number;
}

/** Proxies by the scheme of the URLs that are asked through them. */
export declare interface ProxyOptions {
    /** For `http` URLs. */
    http?: string;
    /** For `https` URLs. */
    https?: string;
}

/** Options of {@link ModelCache.prune}. */
export declare interface PruneOptions {
    /**
     * Change nothing, only tell what would go.
     *
     * @defaultValue `false`
     */
    dryRun?: boolean;
    /**
     * Most bytes to keep: least recently used quants go until no more are stored. What may not go stays, also where it is more.
     *
     * @defaultValue `maxSize` of the cache, else no quant goes
     */
    maxSize?: number;
    /**
     * Milliseconds after which a partial download that nobody goes on with is given up.
     *
     * @defaultValue 7 days
     */
    partialAge?: number;
    /**
     * Also remove the plain files that were to be kept (`materialize` with `keep`) and that nobody holds.
     *
     * @defaultValue `false`
     */
    plainFiles?: boolean;
}

/** What a prune did, or would do. */
export declare interface PruneReport extends RemoveReport {
    /** Things nobody refers to, left by processes that died: reservations, contents, records and lock files. */
    orphans: number;
    /** Partial downloads that nobody goes on with. */
    partials: number;
    /** Plain files that nobody holds: left by processes that died, and kept ones where these were asked for. */
    plainFiles: number;
    /** Bytes of these, not part of `freed`: where they shared blocks with the store, the disk got nothing back. */
    plainBytes: number;
    /** Quants that went, the least recently used first. */
    quants: {
        repo: string;
        quant: string;
    }[];
    /** Whether nothing was changed; then `freed` is the bytes of what would go. */
    dryRun: boolean;
}

/** One quantization variant of a repository: everything an engine needs to load it. */
export declare interface Quant {
    /** As tools of its format call it: `q4f16`, `Q4_K_M`, `bf16`, ...; `format:name` where formats collide. */
    name: string;
    format: 'onnx' | 'gguf' | 'safetensors' | 'openvino' | 'pytorch' | 'other';
    /** `downloading` only while some process does it; an interrupted one is `available` with `downloaded` above 0. */
    status: 'available' | 'downloading' | 'downloaded' | 'failed';
    /** Everything this quant needs, shared files included. A file of several quants is the same object in all of them. */
    files: FileInfo[];
    /** Bytes of all its files. */
    size: number;
    /** Bytes of them that are stored; while a process downloads, the bytes it has, which may not be durable yet. */
    downloaded: number;
    /** Why the last download failed; only with status `failed`. */
    error?: {
        code: ErrorCode;
        message: string;
    };
    updatedAt: Date;
}

/** A range of bytes of a file. */
export declare interface RangeOptions {
    /**
     * First byte.
     *
     * @defaultValue `0`
     */
    start?: number;
    /**
     * Byte after the last one.
     *
     * @defaultValue the file's size
     */
    end?: number;
}

/** What a removal did. */
export declare interface RemoveReport {
    /** Files that are no longer listed as stored. */
    files: number;
    /** Stored contents that went with them; content that another file shares stays. */
    blobs: number;
    /** Bytes given back to the disk. */
    freed: number;
    /** Bytes free inside the store, for the next download. */
    reusable: number;
    /** What stayed, and why. */
    kept: {
        path: string;
        why: string;
    }[];
}

/** Which revision of the repository is meant. */
export declare interface RevisionOptions {
    /**
     * Branch, tag or commit.
     *
     * @defaultValue `main`
     */
    revision?: string;
}

/** Options of {@link ModelCache.scanRepo}. */
export declare interface ScanOptions extends RevisionOptions {
    /**
     * Ask for the whole listing, of a commit that was scanned before too, whatever is stored. A branch is always asked for,
     * but answered from the store when the endpoint says that nothing has changed.
     *
     * @defaultValue `false`
     */
    refresh?: boolean;
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
    headers?: boolean;
    /** Ends this call with `signal.reason`. */
    signal?: AbortSignal;
}

/** One tensor of a model file. */
export declare interface TensorInfo {
    name: string;
    /** Size of each dimension, outermost first in all formats (GGUF files list them the other way round); `[]` for one number. */
    shape: number[];
    /** Type of its numbers: `F32`, `F16`, `BF16`, `I64`, `BOOL`, `F8_E4M3`, ... as in safetensors, `Q4_K`, ... as in GGUF. */
    dtype: string;
    /** First byte in the file. */
    offset: number;
    /** Bytes; of external weights 0 where the model does not say how many. */
    length: number;
    /**
     * What lies there: its numbers, little-endian (`raw`); the same, but in the file `location` (`external`); or its protobuf
     * message, in which the numbers are encoded one by one (`encoded`: small tensors of ONNX).
     */
    data: 'raw' | 'external' | 'encoded';
    /** The file that `offset` is meant of, relative to the folder of the model; only of external weights. */
    location?: string;
}

/** Options of {@link ModelCache.verify}. */
export declare interface VerifyOptions {
    /**
     * Check only the files of this repository.
     *
     * @defaultValue everything in the store, of all endpoints
     */
    repo?: string;
    /**
     * Make damaged records again, and fetch damaged blocks again. These are written once they are proven to give the file its digest, and open views show the right
     * bytes from then on. Of a file with more than 256 MiB of damage nothing is fetched: remove it and download it again.
     *
     * @defaultValue `false`
     */
    repair?: boolean;
    /** Ends this call with `signal.reason` at once, and the check with it. */
    signal?: AbortSignal;
    /**
     * Called at most 20 times a second with the bytes compared so far, always once at 100 %, never after the promise settled.
     * An exception in it ends the call, which rejects with that exception.
     */
    onProgress?: (progress: Progress) => void;
}

/** What a check of the store found. */
export declare interface VerifyReport {
    /** Stored files that were checked, counted once per commit. */
    files: number;
    /** Bytes that were compared; those that files share count once. */
    bytes: number;
    /**
     * Bytes that are not those that were stored, as the damaged blocks of at most 4 MiB, neighbours joined. Such a file counts as
     * stored, and without `verify` its damaged bytes are handed out.
     */
    damaged: {
        repo: string;
        /** Commit the file belongs to. */
        commit: string;
        path: string;
        /** First damaged byte of the file. */
        offset: number;
        length: number;
        /** Whether they are right again. */
        repaired: boolean;
        /** Why a repair failed, or why none of the file's bytes can be told from others. */
        why?: string;
    }[];
    /** Files whose bytes are nowhere. They do not count as stored any more: download them again. */
    missing: {
        repo: string;
        commit: string;
        path: string;
    }[];
    /**
     * What nobody refers to and `prune()` removes; 0 when only one repository was checked, and when damaged records keep it from
     * being told.
     */
    orphans: number;
    /**
     * Records of the store that cannot be read, by their keys as docs/design.md lists them. What they say is not known until they are
     * repaired: made again from other records, or forgotten, so that a scan or a download brings it back.
     */
    records: {
        key: string;
        why: string;
        repaired: boolean;
    }[];
}

/** Options of {@link ModelCache.watch}. */
export declare interface WatchOptions {
    /**
     * Only this repository, by any name it is known by.
     *
     * @defaultValue all
     */
    repo?: string;
    /** Ends the watch: the next manifest is then a rejection with `signal.reason`. */
    signal?: AbortSignal;
}

export { }
