import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { ModelCache } from '@tabagent/model-cache'
import { type TransformersEnvironment, useModelCache } from '@tabagent/model-cache/transformers'
import { ROOT } from '../child-process.js'
import type { Loaded } from '../loading.js'
import { HAS_PROCESS_STATUS, memory } from '../process-status.js'
import { printResult, readParameters } from './script.js'

export interface LoadParameters {
  /** Through the cache, or with what transformers.js has of its own. */
  way: 'store' | 'own'
  /** Folder of either. */
  folder: string
  endpoint: string
  repo: string
  prepacking: boolean
}

interface Transformers {
  env: TransformersEnvironment & { cacheDir: string }
  pipeline(task: string, model: string, options: object): Promise<Extract>
}

type Extract = (text: string, options: object) => Promise<{ data: Float32Array }>

async function prepare(
  { env }: Transformers,
  { way, folder, endpoint }: LoadParameters,
): Promise<() => Promise<void>> {
  if (way === 'store') {
    const cache = await ModelCache.open({ path: folder, endpoint, noProxy: '*' })
    const use = useModelCache(env, cache)
    return async () => {
      use.release()
      await cache.close()
    }
  }
  env.remoteHost = `${endpoint}/`
  env.cacheDir = folder
  return async () => {}
}

/** The sum of the squares of a vector of length 1. */
async function check(extract: Extract): Promise<void> {
  const { data } = await extract('The weather is lovely today.', { pooling: 'mean', normalize: true })
  const length = data.reduce((sum, value) => sum + value * value, 0)
  if (Math.abs(length - 1) > 1e-3 || Math.abs((data[1] ?? 0) - 0.1201) > 1e-3)
    throw new Error('it computes wrong')
}

/** Loads the model. A program opens its store once, whatever it loads: that is a time of its own. */
async function main(): Promise<void> {
  const parameters = readParameters<LoadParameters>()
  const entry = pathToFileURL(join(ROOT, 'engines', 'transformers.mjs')).href
  const transformers = (await import(entry)) as Transformers
  const before = HAS_PROCESS_STATUS ? memory().anonymous : 0
  const begin = performance.now()
  const close = await prepare(transformers, parameters)
  const start = performance.now()
  const extract = await transformers.pipeline('feature-extraction', parameters.repo, {
    dtype: 'fp32',
    ...(!parameters.prepacking && { session_options: { extra: { session: { disable_prepacking: '1' } } } }),
  })
  const time = performance.now() - start
  const anonymous = HAS_PROCESS_STATUS ? memory().anonymous - before : 0
  await check(extract)
  await close()
  printResult<Loaded>({ time, anonymous, opening: start - begin })
}

await main()
