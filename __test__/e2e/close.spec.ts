import { ModelCache } from '@tabagent/model-cache'
import test from 'ava'
import { randomBytes } from '../support/content.js'
import { onnxFiles } from '../support/repository.js'
import { fillStore, openStore, openStored, REPO } from '../support/store.js'

const SIZE = 300_000
const PATH = 'onnx/model_quantized.onnx'

test('every call of a closed cache fails with ERR_CLOSED and says how to go on', async (t) => {
  const { cache, path } = await openStore(t, onnxFiles(SIZE))
  await cache.close()
  const closed = { code: 'ERR_CLOSED', message: /closed.*open it again/ }
  for (const call of [
    () => cache.scanRepo(REPO),
    () => cache.downloadQuant(REPO, 'q8'),
    () => cache.fetchFile(REPO, PATH),
    () => cache.removeRepo(REPO),
  ]) {
    await t.throwsAsync<Error>(call(), closed, String(call))
  }
  for (const call of [
    () => cache.getManifest(REPO),
    () => cache.listManifests(),
    () => cache.hasFile(REPO, PATH),
    () => cache.getFile(REPO, PATH),
    () => cache.listFiles(REPO),
    () => cache.stats(),
  ]) {
    t.throws(call, closed, String(call))
  }
  t.is(cache.path, path)
})

test('`await using` closes', async (t) => {
  const { hub, path } = await openStore(t, onnxFiles(SIZE))
  const cache = await ModelCache.open({ path, endpoint: hub.url })
  await cache[Symbol.asyncDispose]()
  t.throws(() => cache.stats(), { code: 'ERR_CLOSED' })
})

test('two caches of one store in one process are closed one by one', async (t) => {
  const { cache, hub, path, open } = await fillStore(t, { [PATH]: { size: SIZE, seed: 'w' } })
  const second = await ModelCache.open({ path, endpoint: hub.url })
  const file = openStored(second, PATH)
  t.is(file.buffer, open(PATH).buffer, 'they share views')
  await second.close()
  t.true(file.buffer.equals(randomBytes(SIZE, 'w')), 'a view outlives its cache')
  t.true(cache.hasFile(REPO, PATH))
  file.close()
})
