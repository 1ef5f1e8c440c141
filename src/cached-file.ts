import { constants } from 'node:buffer'
import { checkInteger, checkOptions } from './argument.js'
import type { NativeFile } from './binding.js'
import { callNative, fromNative, invalidArgument, isModelCacheError, ModelCacheError } from './errors.js'
import { respond } from './file-response.js'
import { streamRange } from './file-stream.js'
import type { Digest } from './manifest.js'
import { type RangeOptions, rangeSchema } from './options.js'
import type { Runtime } from './runtime.js'
import type { ViewLease } from './shared-view.js'

/** Size of a stored chunk, and so of the largest piece that is mapped when a whole file cannot be. */
const PIECE = 100 * 1024 * 1024

/** Up to this size a copy of the whole file is better than many of its parts. */
const SMALL = 64 * 1024

/** Where bytes of a file lie. */
export interface Extent {
  /** Absolute path of the store's data file. */
  file: string
  /** Offset of the first byte in it. */
  offset: number
  /** Bytes. */
  length: number
}

/** Makes a handle of the addon's one. Only this package can: the types of the addon are no part of the public ones. */
export let wrapFile: (runtime: Runtime, native: NativeFile, verify: boolean) => CachedFile

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
export class CachedFile implements Disposable {
  /** Repository, as the endpoint writes it. */
  readonly repo: string
  /** Path within the repository. */
  readonly path: string
  /** Commit these are the bytes of. */
  readonly commit: string
  /** Bytes. */
  readonly size: number
  /** What the bytes were checked against. */
  readonly digest: Digest
  /** Whether buffers show the stored bytes themselves; small files, and all where the platform forbids it, are copied. */
  readonly zeroCopy: boolean

  readonly #runtime: Runtime
  readonly #native: NativeFile
  readonly #verify: boolean
  readonly #lease: ViewLease
  #closed = false

  static {
    wrapFile = (runtime, native, verify) => new CachedFile(runtime, native, verify)
  }

  private constructor(runtime: Runtime, native: NativeFile, verify: boolean) {
    const { repo, path, commit, size, digest, zeroCopy, view } = native.describe()
    this.repo = repo
    this.path = path
    this.commit = commit
    this.size = size
    this.digest = digest as Digest
    this.zeroCopy = zeroCopy
    this.#runtime = runtime
    this.#native = native
    this.#verify = verify
    this.#lease = runtime.views.lease(view, this)
  }

  /**
   * The whole file in one piece.
   *
   * Throws `ERR_TOO_LARGE` over this Node's limit (4 GiB on Node 20), `ERR_CORRUPT` where `verify` finds damage,
   * `ERR_CLOSED` after `close()`.
   */
  get buffer(): Buffer {
    this.#check(0, this.size)
    return this.#contents()
  }

  /**
   * The file as consecutive pieces of at most 100 MiB, for files of any size on any Node.
   *
   * @example
   * ```ts
   * for (const piece of file.chunks()) hash.update(piece)
   * ```
   */
  chunks(): Iterable<Buffer> {
    this.#checkOpen()
    return this.#pieces()
  }

  /**
   * A part of the file; works past the size limit of `buffer`. Arguments as in `Buffer.subarray`: negative ones count
   * from the end, and what lies outside the file is left out.
   *
   * @param start - First byte.
   * @param end - Byte after the last one; the file's size by default.
   */
  subarray(start: number, end: number = this.size): Buffer {
    const [from, to] = [this.#position(start, 'start'), this.#position(end, 'end')]
    if (to <= from) {
      this.#checkOpen()
      return Buffer.alloc(0)
    }
    this.#check(from, to)
    return this.#part(from, to)
  }

  /** The memory of `buffer` itself, not a copy. With `verify` the check runs off this thread. */
  async arrayBuffer(): Promise<ArrayBuffer> {
    await this.#checkAsync(0, this.size)
    return this.#contents().buffer as ArrayBuffer
  }

  /** Like `arrayBuffer()`, as bytes. */
  async bytes(): Promise<Uint8Array> {
    return new Uint8Array(await this.arrayBuffer())
  }

  /** The file decoded as UTF-8; `ERR_TOO_LARGE` over this Node's longest string. */
  async text(): Promise<string> {
    if (this.size > constants.MAX_STRING_LENGTH)
      throw this.#tooLarge(this.size, constants.MAX_STRING_LENGTH, 'string')
    return new TextDecoder().decode(await this.arrayBuffer())
  }

  /** The file parsed as JSON; a `SyntaxError` if it is none. */
  // biome-ignore lint/suspicious/noExplicitAny: as Response.json() and JSON.parse() have it
  async json(): Promise<any> {
    return JSON.parse(await this.text())
  }

  /** The bytes as a stream of zero-copy pieces, read as they are asked for. It fails with `ERR_CLOSED` after `close()`. */
  stream(options?: RangeOptions): ReadableStream<Uint8Array> {
    const { start = 0, end = this.size } = checkOptions(options, rangeSchema)
    if (start > end || end > this.size) {
      throw invalidArgument(
        `the range ${start} to ${end} does not lie within the ${this.size} bytes of ${this.#name}`,
      )
    }
    this.#checkOpen()
    return streamRange((from, to) => this.#read(from, to), start, end)
  }

  /** A Response whose `arrayBuffer()` is the view itself, for libraries that take what `fetch` returns. */
  response(): Response {
    return respond(this)
  }

  /**
   * Where the bytes lie in the store's data file, in order, for engines that take a path and an offset. Empty for small
   * files, which have no place of their own.
   *
   * Valid until `close()`, and from the first call on only `close()` ends the view: an engine's use of the file is not
   * visible to garbage collection.
   */
  extents(): Extent[] {
    this.#check(0, this.size)
    const extents = callNative(() => this.#native.extents())
    this.#runtime.pinned.add(this)
    return extents
  }

  /** Ends this handle; with the last one of the same content its buffers become empty. Closing again does nothing. */
  close(): void {
    if (this.#closed) return
    this.#closed = true
    this.#runtime.pinned.delete(this)
    this.#runtime.views.end(this.#lease, (memory) => this.#runtime.binding.detach(memory))
    this.#native.close()
  }

  /** The same as `close()`, for `using`. */
  [Symbol.dispose](): void {
    this.close()
  }

  get #name(): string {
    return `${this.repo}/${this.path}`
  }

  *#pieces(): Generator<Buffer> {
    for (let start = 0; start < this.size; start += PIECE) {
      const end = Math.min(start + PIECE, this.size)
      this.#check(start, end)
      yield this.#part(start, end, this.#largestWindow)
    }
  }

  async #read(start: number, end: number): Promise<Uint8Array> {
    await this.#checkAsync(start, end)
    return this.#part(start, end)
  }

  #contents(): Buffer {
    return this.size === 0 ? Buffer.from(new ArrayBuffer(0)) : this.#view(0, this.size)
  }

  /** A part of the whole view if there can be one, else of a window of that size, else a view of its own. */
  #part(start: number, end: number, windowSize = PIECE): Buffer {
    const whole = this.#whole()
    if (whole) return whole.subarray(start, end)
    if (this.zeroCopy) {
      const window = this.#window(start, end, windowSize) ?? this.#window(start, end, PIECE)
      if (window) return window
    }
    return this.#view(start, end)
  }

  /** Each large external Buffer costs V8 a full garbage collection: who reads everything needs few of them. */
  get #largestWindow(): number {
    const limit = this.#runtime.bufferLimit
    return Math.max(PIECE, limit - (limit % PIECE))
  }

  /** A part of the window of `size` bytes that holds it, if one does and can be had. */
  #window(start: number, end: number, size: number): Buffer | undefined {
    const first = start - (start % size)
    const last = Math.min(first + size, this.size)
    if (end > last) return undefined
    return this.#tryView(first, last)?.subarray(start - first, end - first)
  }

  #whole(): Buffer | undefined {
    // Where bytes are copied a part of a large file must not cost the whole.
    if (!this.zeroCopy && this.size > SMALL) return this.#lease.find(0, this.size)
    return this.#tryView(0, this.size)
  }

  /** The view, unless it is larger than a Buffer or the mapping budget. */
  #tryView(start: number, end: number): Buffer | undefined {
    if (end - start > this.#runtime.bufferLimit) return undefined
    try {
      return this.#view(start, end)
    } catch (error) {
      if (isModelCacheError(error, 'ERR_TOO_LARGE')) return undefined
      throw error
    }
  }

  #view(start: number, end: number): Buffer {
    // Node frees an external buffer that it refuses for its size: never let it come to that.
    if (end - start > this.#runtime.bufferLimit)
      throw this.#tooLarge(end - start, this.#runtime.bufferLimit, 'Buffer')
    return this.#lease.buffer(start, end, () => callNative(() => this.#native.view(start, end)))
  }

  #position(value: number, name: string): number {
    if (typeof value !== 'number') checkInteger(Number.MIN_SAFE_INTEGER)(value, name)
    const position = Math.trunc(value) || 0
    return Math.min(Math.max(position < 0 ? position + this.size : position, 0), this.size)
  }

  #check(start: number, end: number): void {
    this.#checkOpen()
    if (this.#verify) callNative(() => this.#native.verify(start, end))
  }

  async #checkAsync(start: number, end: number): Promise<void> {
    this.#checkOpen()
    if (!this.#verify) return
    await this.#native.verifyAsync(start, end).catch((error: unknown) => {
      throw fromNative(error)
    })
    this.#checkOpen()
  }

  #checkOpen(): void {
    if (!this.#closed) return
    throw new ModelCacheError('ERR_CLOSED', `this handle of ${this.#name} is closed: open the file again`, {
      repo: this.repo,
      path: this.path,
    })
  }

  #tooLarge(size: number, limit: number, what: string): ModelCacheError {
    return new ModelCacheError(
      'ERR_TOO_LARGE',
      `${this.#name}: ${size} bytes exceed the ${limit} of a ${what} in Node ${process.versions.node}: ` +
        'use chunks(), subarray() or stream()',
      { repo: this.repo, path: this.path },
    )
  }
}
