import { resolve } from 'node:path'
import { pathToFileURL } from 'node:url'
import { ModelCache, type OpenOptions } from '@tabagent/model-cache'
import {
  type ModelCacheUse,
  type TransformersEnvironment,
  type UseModelCacheOptions,
  useModelCache,
} from '@tabagent/model-cache/transformers'
import { serveCommands } from '../support/child-commands.js'
import { ANSWERS } from './known-answers.js'

/** What the tests use of transformers.js. */
interface Transformers {
  env: TransformersEnvironment
  pipeline(task: string, model: string, options: object): Promise<Extractor>
  AutoConfig: { from_pretrained(model: string, options: object): Promise<Record<string, unknown>> }
  ModelRegistry: {
    is_cached(model: string, options: object): Promise<boolean>
    clear_cache(model: string, options: object): Promise<{ filesDeleted: number }>
  }
}

interface Extractor {
  (texts: string[], options: object): Promise<{ tolist(): number[][] }>
  dispose(): Promise<void>
}

/** An event of transformers.js. */
export interface LoadEvent {
  status: string
  file?: string
  loaded?: number
  total?: number
}

const { env, pipeline, AutoConfig, ModelRegistry } = (await import(
  pathToFileURL(resolve('engines/transformers.mjs')).href
)) as Transformers
const before = { ...env }
let cache: ModelCache | undefined
let use: ModelCacheUse | undefined

serveCommands({
  async use(options: OpenOptions) {
    cache = await ModelCache.open(options)
    use = useModelCache(env, cache)
  },
  useWith: (environment: TransformersEnvironment | null, options?: UseModelCacheOptions) =>
    useModelCache(environment ?? env, cache as ModelCache, options),
  /** Loads a model and lets it compute the vectors of the known answers' sentences. */
  async embed(repo: string, options: object) {
    const events: LoadEvent[] = []
    const onEvent = (event: LoadEvent) => events.push({ ...event })
    const extract = await pipeline('feature-extraction', repo, { ...options, progress_callback: onEvent })
    const output = await extract(ANSWERS.sentences, { pooling: 'mean', normalize: true })
    const vectors = output.tolist().map((vector) => Float32Array.from(vector))
    await extract.dispose()
    return { vectors, events }
  },
  config: async (repo: string, options: object) => ({ ...(await AutoConfig.from_pretrained(repo, options)) }),
  isCached: (repo: string, options: object) => ModelRegistry.is_cached(repo, options),
  clear: (repo: string, options: object) => ModelRegistry.clear_cache(repo, options),
  /** Whether everything is as it was. */
  release() {
    use?.release()
    return Object.entries(before).every(([name, value]) => Reflect.get(env, name) === value)
  },
})
