// node node-answers.js STORE ENDPOINT     what the engines of Node make of the known answers' sentences, from what is stored
import { ModelCache } from '@tabagent/model-cache'
import { useModelCache } from '@tabagent/model-cache/transformers'
import { encodeAll, openEncoder, WEIGHTS } from './encoder.js'
import { whyNot } from './engines.js'
import { ANSWERS, DTYPES } from './known-answers.js'
import { embedAll, importTransformers } from './transformers.js'

type Vectors = Record<string, number[][]>

async function withOnnxRuntime(cache: ModelCache): Promise<{ tokens: number[][]; vectors: Vectors }> {
  const vectors: Vectors = {}
  let tokens: number[][] = []
  for (const dtype of DTYPES) {
    using model = await cache.onnxModel(ANSWERS.repo, WEIGHTS[dtype])
    const encoder = await openEncoder(cache, model.modelPath)
    tokens = ANSWERS.sentences.map((sentence) => encoder.tokenize(sentence))
    vectors[dtype] = plain(await encodeAll(encoder))
    await encoder.release()
  }
  return { tokens, vectors }
}

async function withTransformers(cache: ModelCache): Promise<Vectors> {
  const { env, pipeline } = await importTransformers()
  using _ = useModelCache(env, cache)
  const vectors: Vectors = {}
  for (const dtype of DTYPES) {
    const extract = await pipeline('feature-extraction', ANSWERS.repo, { dtype })
    vectors[dtype] = plain(await embedAll(extract))
    await extract.dispose()
  }
  return vectors
}

function plain(vectors: readonly Float32Array[]): number[][] {
  return vectors.map((vector) => [...vector])
}

const [path = '', endpoint = ''] = process.argv.slice(2)
await using cache = await ModelCache.open({ path, endpoint, offline: true })
const { tokens, vectors } = await withOnnxRuntime(cache)
const transformers = whyNot('transformers') === undefined ? await withTransformers(cache) : undefined
console.log(JSON.stringify({ tokens, 'onnxruntime-node': vectors, 'transformers.js': transformers }))
