import { createRequire } from 'node:module'
import type * as generated from './binding.cjs'
import { ModelCacheError } from './errors.js'
import { VERSION } from './version.js'

/** The native addon, as its build describes it. */
export type Binding = typeof generated
/** The addon's cache. */
export type NativeCache = generated.NativeCache
/** The addon's handle of one stored file. */
export type NativeFile = generated.NativeFile
/** The addon's end of one call that can be cancelled. */
export type Operation = generated.Operation
/** The addon's handle of plain files. */
export type NativePlainFiles = generated.NativePlainFiles
/** The addon's end of a watch. */
export type NativeWatch = generated.NativeWatch
/** The addon's ONNX model. */
export type NativeOnnxModel = generated.NativeOnnxModel
/** The addon's plain objects. */
export type NativeInspection = generated.NativeInspection

let loaded: Binding | undefined

/**
 * The addon of this platform, loaded at the first call: importing the package costs nothing native.
 *
 * Throws `ERR_IO` when there is no addon for this platform, `ERR_VERSION_MISMATCH` when it belongs to another version.
 */
export function loadBinding(): Binding {
  loaded ??= checkVersion(requireBinding())
  return loaded
}

/** Refuses an addon of another version than this package: their private interface may differ. */
export function checkVersion(binding: Binding): Binding {
  const found = binding.bindingVersion()
  if (found === VERSION) return binding
  throw new ModelCacheError(
    'ERR_VERSION_MISMATCH',
    `the native addon is of version ${found}, this package of ${VERSION}: reinstall @tabagent/model-cache, ` +
      'or run `npm run build` in a clone of the repository',
    { expected: VERSION, actual: found },
  )
}

function requireBinding(): Binding {
  try {
    return createRequire(import.meta.url)('./binding.cjs') as Binding
  } catch (cause) {
    throw new ModelCacheError(
      'ERR_IO',
      `no native addon for ${process.platform}-${process.arch} could be loaded (${messageOf(cause)}): reinstall ` +
        '@tabagent/model-cache with optional dependencies, or run `npm run build` in a clone of the repository',
      {},
      { cause },
    )
  }
}

/** What the system said of the addon that is there. The loader looks for others after it, and their absence explains nothing. */
function messageOf(failure: unknown): string {
  const reasons = [...messagesOf(failure)]
  return reasons.find((reason) => !reason.startsWith('Cannot find ')) ?? reasons.at(-1) ?? String(failure)
}

/** First lines, outermost first: the rest is a stack of files. */
function* messagesOf(failure: unknown): Generator<string> {
  for (let error = failure; error instanceof Error; error = error.cause)
    yield error.message.split('\n')[0] ?? ''
}
