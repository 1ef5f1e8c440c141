import { readFile } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { ModelCache } from '@tabagent/model-cache'
import test from 'ava'
import { LocalHub } from '../../local-hub/index.js'
import { makeFolder } from '../support/folder.js'
import { encodeAll, openEncoder, WEIGHTS } from './encoder.js'
import { ANSWERS, DTYPES, distance, expectAnswers } from './known-answers.js'

test('the known answers notice one zeroed tensor of a hundred', async (t) => {
  const hub = await LocalHub.start({ root: resolve('.work/hub') })
  t.teardown(() => hub.close())
  const cache = await ModelCache.open({ path: await makeFolder(t), endpoint: hub.url })
  t.teardown(() => cache.close())
  const model = await readFile(join('.work/hub', ANSWERS.repo, WEIGHTS.fp32))
  const bias = await readTensor('encoder.layer.0.attention.self.value.bias')
  const at = model.indexOf(bias)
  t.true(at > 0)
  const right = await openEncoder(cache, model)
  expectAnswers(t, 'fp32', await encodeAll(right))
  const damaged = Buffer.from(model)
  damaged.fill(0, at, at + bias.length)
  const wrong = await openEncoder(cache, damaged)
  t.true(distance('fp32', await encodeAll(wrong)) > 1)
  await Promise.all([right.release(), wrong.release()])
})

test('onnxruntime-node gives the known answers of every dtype from the store', async (t) => {
  const hub = await LocalHub.start({ root: resolve('.work/hub') })
  t.teardown(() => hub.close())
  const cache = await ModelCache.open({ path: await makeFolder(t), endpoint: hub.url })
  t.teardown(() => cache.close())
  for (const dtype of DTYPES) {
    await cache.downloadQuant(ANSWERS.repo, dtype)
    using stub = await cache.onnxModel(ANSWERS.repo, WEIGHTS[dtype])
    const encoder = await openEncoder(cache, stub.modelPath)
    expectAnswers(t, dtype, await encodeAll(encoder))
    await encoder.release()
  }
})

/** The bytes of a tensor as the trained weights have them. */
async function readTensor(name: string): Promise<Buffer> {
  const file = await readFile(join('.work/hub', ANSWERS.repo, 'model.safetensors'))
  const length = Number(file.readBigUInt64LE(0))
  const [start, end] = JSON.parse(file.toString('utf8', 8, 8 + length))[name].data_offsets
  return file.subarray(8 + length + start, 8 + length + end)
}
