import { ModelCache, type OpenOptions } from '@tabagent/model-cache'
import {
  type ModelCacheUse,
  type TransformersEnvironment,
  type UseModelCacheOptions,
  useModelCache,
} from '@tabagent/model-cache/transformers'
import { serveCommands } from '../support/child-commands.js'
import { embedAll, importTransformers } from './transformers.js'

/** An event of transformers.js. */
export interface LoadEvent {
  status: string
  file?: string
  loaded?: number
  total?: number
}

const { env, pipeline, AutoConfig, AutoTokenizer, ModelRegistry } = await importTransformers()
const before = { ...env }
let cache: ModelCache | undefined
let use: ModelCacheUse | undefined

const ending = new AbortController()

serveCommands({
  async use(options: OpenOptions) {
    cache = await ModelCache.open(options)
    use = useModelCache(env, cache, { signal: ending.signal })
  },
  abort: () => ending.abort(new Error('enough')),
  /** What `env.fetch` answers for a URL of somewhere else. */
  fetchText: async (url: string) => (await env.fetch(url)).text(),
  useWith: (environment: TransformersEnvironment | null, options?: UseModelCacheOptions) =>
    useModelCache(environment ?? env, cache as ModelCache, options),
  /** Loads a model and lets it compute the vectors of the known answers' sentences. */
  async embed(repo: string, options: object) {
    const events: LoadEvent[] = []
    const onEvent = (event: LoadEvent) => events.push({ ...event })
    const extract = await pipeline('feature-extraction', repo, { ...options, progress_callback: onEvent })
    const vectors = await embedAll(extract)
    await extract.dispose()
    return { vectors, events }
  },
  config: async (repo: string, options: object) => ({ ...(await AutoConfig.from_pretrained(repo, options)) }),
  tokenizer: async (repo: string) => typeof (await AutoTokenizer.from_pretrained(repo)),
  isCached: (repo: string, options: object) => ModelRegistry.is_cached(repo, options),
  clear: (repo: string, options: object) => ModelRegistry.clear_cache(repo, options),
  /** Whether everything is as it was. */
  release() {
    use?.release()
    return Object.entries(before).every(([name, value]) => Reflect.get(env, name) === value)
  },
})
