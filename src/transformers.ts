import type { ModelCache } from '@tabagent/model-cache'
import { checkCache, checkOptions, checkSignal, type Schema } from './argument.js'
import { invalidArgument } from './errors.js'
import { CustomCache } from './transformers/custom-cache.js'
import { downloadsOf } from './transformers/download.js'
import { type Fetch, fetchFrom } from './transformers/fetch.js'
import { LoadedModels } from './transformers/loaded-models.js'
import { hostOf, PATH_TEMPLATE } from './transformers/resource.js'

/** The part of transformers.js's `env` that is set: any of its versions from 4.0 has it. */
export interface TransformersEnvironment {
  remoteHost: string
  remotePathTemplate: string
  useCustomCache: boolean
  customCache: object | null
  // biome-ignore lint/suspicious/noExplicitAny: as transformers.js declares it
  fetch: (input: string | URL, init?: any) => Promise<any>
}

/** Options of {@link useModelCache}. */
export interface UseModelCacheOptions {
  /** Ends the downloads for transformers.js, which then fails with `signal.reason`; what came is kept. */
  signal?: AbortSignal
}

/** What {@link useModelCache} set up, for as long as it is wanted. */
export interface ModelCacheUse extends Disposable {
  /**
   * Gives transformers.js back what it had before, and lets go of the models. Dispose of pipelines and models first: their sessions
   * read the weights from the store until then, and without this they may as long as the process runs. Again it does nothing.
   */
  release(): void
}

const schema: Schema<UseModelCacheOptions> = { signal: checkSignal }

/**
 * Lets transformers.js (4.x, in Node) load everything from the cache: models, external data, tokenizers, configurations, of any
 * revision. What is not stored is downloaded by the cache, from its endpoint and with its token: continued where it stopped,
 * checked against its digest, once for all processes.
 *
 * ONNX Runtime gets a path from `cache.onnxModel` and so maps the weights from the store; nothing is copied for that, and
 * `use_external_data_format` is not needed. Where there can be no path (a cache opened with `readOnly`, and Windows) it gets the bytes,
 * and copies them.
 *
 * `progress_callback` gets its events; for a model that is stored already there is no `progress` among them, as nothing moves. A branch
 * is at the commit that was scanned last: `cache.scanRepo` asks whether it moved, and what has changed is downloaded then.
 *
 * transformers.js throws its own error for what the repository does not have; all other errors of the cache reach the caller as they
 * are: `ERR_GATED`, `ERR_UNAUTHORIZED`, `ERR_OFFLINE`, `ERR_NETWORK`, `ERR_INTEGRITY`, `ERR_NO_SPACE`, ...
 *
 * @param env - The `env` of `@huggingface/transformers`. Each thread has its own, and needs a cache of its own.
 *
 * @example
 * ```ts
 * const cache = await ModelCache.open()
 * useModelCache(env, cache)
 * const extract = await pipeline('feature-extraction', 'onnx-community/all-MiniLM-L6-v2-ONNX', { dtype: 'fp32' })
 * ```
 */
export function useModelCache(
  env: TransformersEnvironment,
  cache: ModelCache,
  options?: UseModelCacheOptions,
): ModelCacheUse {
  const { signal } = checkOptions(options, schema)
  checkEnvironment(env)
  checkCache(cache)
  const models = new LoadedModels(cache)
  const download = downloadsOf(cache, signal)
  const fetchBefore: Fetch = (input, init) => before.fetch.call(env, input, init)
  const ours: TransformersEnvironment = {
    remoteHost: hostOf(cache.endpoint),
    remotePathTemplate: PATH_TEMPLATE,
    useCustomCache: true,
    customCache: new CustomCache(cache, models, download),
    fetch: fetchFrom(cache, download, fetchBefore),
  }
  const before = replace(env, ours)
  const release = () => {
    restore(env, ours, before)
    models.close()
  }
  return { release, [Symbol.dispose]: release }
}

function checkEnvironment(env: unknown): void {
  const { remoteHost, fetch } = (env ?? {}) as Partial<TransformersEnvironment>
  if (typeof remoteHost === 'string' && typeof fetch === 'function') return
  throw invalidArgument('env must be the `env` that @huggingface/transformers 4 exports')
}

function replace(env: TransformersEnvironment, ours: TransformersEnvironment): TransformersEnvironment {
  const { remoteHost, remotePathTemplate, useCustomCache, customCache, fetch } = env
  Object.assign(env, ours)
  return { remoteHost, remotePathTemplate, useCustomCache, customCache, fetch }
}

/** What somebody set since stays. */
function restore(
  env: TransformersEnvironment,
  ours: TransformersEnvironment,
  before: TransformersEnvironment,
): void {
  if (env.customCache !== ours.customCache) return
  Object.assign(env, before)
}
