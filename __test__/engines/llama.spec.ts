import { chmod, copyFile, open, stat } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { ModelCache } from '@tabagent/model-cache'
import anyTest, { type ExecutionContext } from 'ava'
import { LocalHub } from '../../local-hub/index.js'
import { makeFolder } from '../support/folder.js'
import { whyNot } from './engines.js'
import { distance, EMBEDDING, LLAMA, loadLlama, RECITED } from './llama.js'

const test = whyNot('llama') === undefined ? anyTest : anyTest.skip

async function openLlama(t: ExecutionContext): Promise<ModelCache> {
  const hub = await LocalHub.start({ root: resolve('.work/hub') })
  t.teardown(() => hub.close())
  const cache = await ModelCache.open({ path: await makeFolder(t), endpoint: hub.url })
  t.teardown(() => cache.close())
  await cache.downloadQuant(LLAMA, 'F16')
  return cache
}

test('node-llama-cpp computes the known answers from a plain file of a model over 100 MB', async (t) => {
  const cache = await openLlama(t)
  await using files = await cache.materialize(LLAMA, 'F16')
  t.true((await stat(files.path)).size > 100_000_000)
  const llama = await loadLlama(t, files.path)
  const found = distance(await llama.embed(EMBEDDING.text), EMBEDDING.first)
  t.true(found <= EMBEDDING.tolerance, `${found} off`)
  t.is((await llama.complete(RECITED.prompt, 16)).trim(), RECITED.text)
})

test('the embedding notices damage, so that the answer above proves the bytes', async (t) => {
  const cache = await openLlama(t)
  await using files = await cache.materialize(LLAMA, 'F16')
  const damaged = join(await makeFolder(t), 'damaged.gguf')
  await copyFile(files.path, damaged)
  await chmod(damaged, 0o644)
  const file = await open(damaged, 'r+')
  // Within the matrices of the last blocks.
  await file.write(Buffer.alloc(1_000_000), 0, 1_000_000, 100_000_000)
  await file.close()
  const llama = await loadLlama(t, damaged)
  const found = distance(await llama.embed(EMBEDDING.text), EMBEDDING.first)
  t.true(found > 2 * EMBEDDING.tolerance, `${found} off`)
})
