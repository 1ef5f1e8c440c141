/** Every value of {@link ErrorCode}; the same list as in the Rust core. */
export const errorCodes = [
  'ERR_INVALID_ARGUMENT',
  'ERR_REPO_NOT_FOUND',
  'ERR_REVISION_NOT_FOUND',
  'ERR_FILE_NOT_FOUND',
  'ERR_QUANT_NOT_FOUND',
  'ERR_UNAUTHORIZED',
  'ERR_GATED',
  'ERR_RATE_LIMITED',
  'ERR_OFFLINE',
  'ERR_NETWORK',
  'ERR_HTTP',
  'ERR_INTEGRITY',
  'ERR_NO_SPACE',
  'ERR_CORRUPT',
  'ERR_IN_USE',
  'ERR_READ_ONLY',
  'ERR_CLOSED',
  'ERR_TOO_LARGE',
  'ERR_VERSION_MISMATCH',
  'ERR_UNSUPPORTED_FILESYSTEM',
  'ERR_IO',
] as const

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
export type ErrorCode = (typeof errorCodes)[number]

/** What an error says beside its message; each field is there only where it means something. */
export interface ErrorFields {
  /** Repository the call was about. */
  repo?: string
  /** File of the repository, or path on this machine. */
  path?: string
  /** Address that was asked, without its query. */
  url?: string
  /** HTTP status of the answer. */
  status?: number
  /** Seconds to wait before the next try. */
  retryAfter?: number
  /** Digest or value that was announced. */
  expected?: string
  /** Digest or value that was found. */
  actual?: string
  /** Bytes the call needs. */
  needed?: number
  /** Bytes that are free. */
  available?: number
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
export class ModelCacheError extends Error {
  /** What went wrong, for code to branch on; messages may change. */
  readonly code: ErrorCode
  /** Repository the call was about. */
  declare readonly repo?: string
  /** File of the repository, or path on this machine. */
  declare readonly path?: string
  /** Address that was asked, without its query. */
  declare readonly url?: string
  /** HTTP status of the answer. */
  declare readonly status?: number
  /** Seconds to wait before the next try. */
  declare readonly retryAfter?: number
  /** Digest or value that was announced. */
  declare readonly expected?: string
  /** Digest or value that was found. */
  declare readonly actual?: string
  /** Bytes the call needs. */
  declare readonly needed?: number
  /** Bytes that are free. */
  declare readonly available?: number

  constructor(code: ErrorCode, message: string, fields: ErrorFields = {}, options?: ErrorOptions) {
    super(message, options)
    this.code = code
    Object.assign(this, fields)
  }
}

// On the prototype and not enumerable, like the built-in errors' names.
Object.defineProperty(ModelCacheError.prototype, 'name', {
  value: 'ModelCacheError',
  configurable: true,
  writable: true,
})

/**
 * Whether `error` is a {@link ModelCacheError}, and of this `code` where one is given. Unlike `instanceof` it also
 * recognizes errors of another copy of this package and of another realm (`node:vm`, test runners).
 */
export function isModelCacheError(error: unknown, code?: ErrorCode): error is ModelCacheError {
  if (typeof error !== 'object' || error === null) return false
  const candidate = error as Partial<ModelCacheError>
  if (candidate.name !== 'ModelCacheError' || !isErrorCode(candidate.code)) return false
  return code === undefined || candidate.code === code
}

/** The error of a wrong argument or option. */
export function invalidArgument(message: string): ModelCacheError {
  return new ModelCacheError('ERR_INVALID_ARGUMENT', message)
}

/** What the addon packs into an error's message: crates/node/src/error.rs is the other half. */
interface PackedError {
  code: ErrorCode
  message: string
  fields: ErrorFields
  /** Messages of the underlying errors, outermost first. */
  causes: string[]
}

/** The only decoder of the addon's errors. Its stack is the caller's: an error made by the addon has none. */
export function fromNative(error: unknown): unknown {
  if (!(error instanceof Error) || isModelCacheError(error)) return error
  const packed = unpack(error.message)
  if (packed === undefined) return fromNodeApi(error)
  const cause = packed.causes.reduceRight<Error | undefined>(
    (inner, message) => new Error(message, inner && { cause: inner }),
    undefined,
  )
  return new ModelCacheError(packed.code, packed.message, packed.fields, cause && { cause })
}

/** Runs a synchronous call of the addon. */
export function callNative<T>(call: () => T): T {
  try {
    return call()
  } catch (error) {
    throw fromNative(error)
  }
}

function unpack(message: string): PackedError | undefined {
  if (!message.startsWith('{')) return undefined
  try {
    const packed = JSON.parse(message) as PackedError
    return isErrorCode(packed.code) ? packed : undefined
  } catch {
    return undefined
  }
}

/** Errors that Node-API or its Rust layer raised before or instead of the core. */
function fromNodeApi(error: Error & { code?: unknown }): ModelCacheError {
  const { message, code } = error
  if (code === 'ERR_BUFFER_TOO_LARGE')
    return new ModelCacheError('ERR_TOO_LARGE', message, {}, { cause: error })
  if (typeof code === 'string' && /^InvalidArg$|Expected$/.test(code)) {
    return new ModelCacheError('ERR_INVALID_ARGUMENT', message, {}, { cause: error })
  }
  return new ModelCacheError('ERR_IO', `the native addon failed: ${message}`, {}, { cause: error })
}

function isErrorCode(code: unknown): code is ErrorCode {
  return (errorCodes as readonly unknown[]).includes(code)
}
