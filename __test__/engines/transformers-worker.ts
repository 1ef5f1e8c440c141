import { parentPort, workerData } from 'node:worker_threads'
import { ModelCache } from '@tabagent/model-cache'
import { useModelCache } from '@tabagent/model-cache/transformers'
import { ANSWERS } from './known-answers.js'
import { embedAll, importTransformers } from './transformers.js'

const { env, pipeline } = await importTransformers()
await using cache = await ModelCache.open(workerData)
using _ = useModelCache(env, cache)
const extract = await pipeline('feature-extraction', ANSWERS.repo, { dtype: 'q8' })
const vectors = await embedAll(extract)
await extract.dispose()
parentPort?.postMessage(vectors)
