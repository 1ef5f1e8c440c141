// node fill-store.js STORE ENDPOINT     stores what the known answers are computed from
import { ModelCache } from '@tabagent/model-cache'
import { ANSWERS, DTYPES } from './known-answers.js'

const [path = '', endpoint = ''] = process.argv.slice(2)
await using cache = await ModelCache.open({ path, endpoint })
for (const dtype of DTYPES) await cache.downloadQuant(ANSWERS.repo, dtype)
await cache.downloadFile(ANSWERS.repo, 'model.safetensors')
