import { resolve } from 'node:path'
import { ModelCache } from '@tabagent/model-cache'
import test from 'ava'
import { SentenceEncoder, similarity } from '../../examples/sentence-encoder.js'
import { PUBLISHED, SENTENCES } from '../../examples/sentences.js'
import { LocalHub } from '../../local-hub/index.js'
import { makeFolder } from '../support/folder.js'
import { openStored } from '../support/store.js'

const MODEL = 'sentence-transformers/all-MiniLM-L6-v2'

/** Serves the real model that the project builds. */
async function openModel(t: Parameters<typeof makeFolder>[0]): Promise<ModelCache> {
  const hub = await LocalHub.start({ root: resolve('.work/hub') })
  t.teardown(() => hub.close())
  const cache = await ModelCache.open({ path: await makeFolder(t), endpoint: hub.url })
  t.teardown(() => cache.close())
  return cache
}

test('onnxruntime computes the published similarities from the bytes in the store', async (t) => {
  const cache = await openModel(t)
  const { quants } = await cache.downloadQuant(MODEL, 'fp32')
  const weights = quants['fp32']?.files.find(({ role }) => role === 'weights')?.path ?? ''
  const open = (path: string) => openStored({ getFile: () => cache.getFile(MODEL, path) }, path)
  using file = open(weights)
  t.true(file.zeroCopy)
  using tokenizer = open('tokenizer.json')
  using config = open('tokenizer_config.json')
  const encoder = await SentenceEncoder.create(file.buffer, await tokenizer.json(), await config.json())
  t.teardown(() => encoder.release())
  const [first, second, third] = await Promise.all(SENTENCES.map((sentence) => encoder.encode(sentence)))
  if (!first || !second || !third) throw new Error('a sentence has no vector')
  const found = [similarity(first, second), similarity(first, third), similarity(second, third)]
  t.deepEqual(
    found.map((value) => Number(value.toFixed(4))),
    [...PUBLISHED],
  )
})
