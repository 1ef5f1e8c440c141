import { checkSignal, type Schema } from './argument.js'
import type { NativeOnnxModel } from './binding.js'
import { type RevisionOptions, revisionSchema } from './options.js'
import type { Runtime } from './runtime.js'

/** Options of {@link ModelCache.onnxModel}. */
export interface OnnxModelOptions extends RevisionOptions {
  /** Ends this call with `signal.reason` at once. */
  signal?: AbortSignal
}

/** Makes a model of the addon's one; only this package can. */
export let wrapOnnxModel: (runtime: Runtime, native: NativeOnnxModel) => OnnxModel

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
export class OnnxModel implements Disposable {
  /** Repository, as the endpoint writes it. */
  readonly repo: string
  /** Path of the model within the repository. */
  readonly path: string
  /** Commit it belongs to. */
  readonly commit: string
  /** Absolute path of the stub on this machine: what an engine loads. */
  readonly modelPath: string
  readonly #runtime: Runtime
  readonly #native: NativeOnnxModel

  static {
    wrapOnnxModel = (runtime, native) => new OnnxModel(runtime, native)
  }

  private constructor(runtime: Runtime, native: NativeOnnxModel) {
    const { repo, path, commit, modelPath } = native.describe()
    this.repo = repo
    this.path = path
    this.commit = commit
    this.modelPath = modelPath
    this.#runtime = runtime
    this.#native = native
    runtime.pinned.add(this)
  }

  /** Lets go of the stub and of the weights it points to. Closing again does nothing. */
  close(): void {
    this.#runtime.pinned.delete(this)
    this.#native.close()
  }

  /** The same as `close()`, for `using`. */
  [Symbol.dispose](): void {
    this.close()
  }
}

export const onnxModelSchema: Schema<OnnxModelOptions> = { ...revisionSchema, signal: checkSignal }
