import test, { type ExecutionContext } from 'ava'
import type { Settings } from '../../local-hub/index.js'
import { type Files, ggufFiles, onnxFiles } from '../support/repository.js'
import { openStore, REPO } from '../support/store.js'
import { CacheProcess } from './cache-process.js'
import { cdnBytes, holdAt, MIB, quantOf, SLACK } from './half-way.js'

const SIZE = 40 * MIB
const QUANT = 'Q4_K_M'
const PATH = 'm-Q4_K_M.gguf'
const FILES = ggufFiles('m', [QUANT], SIZE)

async function startTwo(t: ExecutionContext, files: Files, settings: Settings = {}) {
  const store = await openStore(t, files, {}, { settings })
  await store.cache.scanRepo(REPO)
  const options = { path: store.path, endpoint: store.hub.url }
  const [worker, waiter] = await Promise.all([CacheProcess.open(t, options), CacheProcess.open(t, options)])
  return { ...store, worker, waiter }
}

test('the waiting process shows the progress of the one that works, and so does the manifest', async (t) => {
  const { cache, hub, worker, waiter } = await startTwo(t, FILES)
  const held = holdAt(hub, SIZE / 2)
  const one = await worker.startDownload(REPO, QUANT)
  await worker.loaded(SIZE / 2)
  t.is(quantOf(cache.getManifest(REPO), QUANT).downloaded, SIZE / 2)
  const two = await waiter.startDownload(REPO, QUANT)
  await waiter.loaded(SIZE / 2)
  held.open()
  await Promise.all([one.done, two.done])
  t.is((await waiter.loaded(SIZE)).at(-1)?.loaded, SIZE)
  t.true(cdnBytes(hub) <= SIZE + SLACK)
})

test('also of a file that is gathered in memory, of which nothing is recorded', async (t) => {
  const size = 12 * MIB
  const files = { 'model.onnx': { size, seed: 'git' } }
  const { cache, hub, worker, waiter } = await startTwo(t, files, { git: ['model.onnx'] })
  const held = holdAt(hub, size / 2)
  const one = await worker.startFile(REPO, 'model.onnx')
  await worker.loaded(size / 2)
  const two = await waiter.startFile(REPO, 'model.onnx')
  await waiter.loaded(size / 2)
  t.is(cache.stats().partialBytes, 0)
  held.open()
  t.true((await one.done).stored && (await two.done).stored)
  t.true(cdnBytes(hub) <= size + SLACK)
})

test('one file of a quant that another process downloads waits for that file only', async (t) => {
  const { hub, worker, waiter } = await startTwo(t, FILES)
  const held = holdAt(hub, SIZE / 2)
  const one = await worker.startDownload(REPO, QUANT)
  await worker.loaded(SIZE / 2)
  const two = await waiter.startFile(REPO, PATH)
  await waiter.loaded(SIZE / 2)
  held.open()
  t.true((await two.done).stored)
  t.is(quantOf(await one.done, QUANT).status, 'downloaded')
  t.true(cdnBytes(hub) <= SIZE + SLACK)
})

test('the death of a waiting process changes nothing', async (t) => {
  const { cache, hub, worker, waiter } = await startTwo(t, FILES)
  const held = holdAt(hub, SIZE / 2)
  const one = await worker.startDownload(REPO, QUANT)
  await worker.loaded(SIZE / 2)
  await waiter.startDownload(REPO, QUANT)
  await waiter.loaded(SIZE / 2)
  await waiter.child.kill()
  t.is(quantOf(cache.getManifest(REPO), QUANT).status, 'downloading')
  held.open()
  t.is(quantOf(await one.done, QUANT).status, 'downloaded')
  t.true(cdnBytes(hub) <= SIZE + SLACK)
})

test('a file cannot be removed while another process downloads a quant that needs it', async (t) => {
  const { cache, hub, path } = await openStore(t, onnxFiles(SIZE))
  await cache.downloadFile(REPO, 'config.json')
  const held = holdAt(hub, 0)
  const worker = await CacheProcess.open(t, { path, endpoint: hub.url })
  const { done } = await worker.startDownload(REPO, 'q8')
  await hub.log.waitFor((log) => log.filter({ origin: 'cdn' }).length > 0)
  await t.throwsAsync(cache.removeFile(REPO, 'config.json'), {
    code: 'ERR_IN_USE',
    message: /quant q8.*stop that download/,
  })
  held.open()
  t.is(quantOf(await done, 'q8').status, 'downloaded')
  t.is((await cache.removeFile(REPO, 'config.json')).files, 1)
})
