import { ModelCache } from '@tabagent/model-cache'
import test from 'ava'
import { makeFolder } from './support/folder.js'
import { startHub } from './support/hub.js'
import { onnxFiles, writeFiles } from './support/repository.js'
import { openStore, REPO } from './support/store.js'

const SIZE = 1 << 20

/** Room for two quants and the small files. */
const TWO = 2.5 * SIZE

/** Names of the quants that are stored whole, sorted. */
function stored(cache: ModelCache, repo = REPO): string[] {
  const quants = Object.values(cache.getManifest(repo)?.quants ?? {})
  const whole = quants.filter(({ status }) => status === 'downloaded')
  return whole.map(({ name }) => name).sort()
}

test('the least recently used quant goes before a download that would exceed maxSize', async (t) => {
  const { cache } = await openStore(t, onnxFiles(SIZE), { maxSize: TWO })
  await cache.downloadQuant(REPO, 'q8')
  await cache.downloadQuant(REPO, 'fp32')
  t.deepEqual(stored(cache), ['fp32', 'q8'])
  await cache.downloadQuant(REPO, 'q4')
  t.deepEqual(stored(cache), ['fp32', 'q4'])
  t.false(cache.hasFile(REPO, 'onnx/model_quantized.onnx'))
  t.true(cache.hasFile(REPO, 'tokenizer.json'), 'a file that other quants need stays')
  t.true(cache.stats().bytes <= TWO)
})

test('a download that fits removes nothing, nor does one that is stored', async (t) => {
  const { cache } = await openStore(t, onnxFiles(SIZE), { maxSize: TWO })
  await cache.downloadQuant(REPO, 'q8')
  await cache.downloadQuant(REPO, 'fp32')
  await cache.downloadQuant(REPO, 'q8')
  t.deepEqual(stored(cache), ['fp32', 'q8'])
})

test('a quant to keep and one with an open file stay; the next one goes', async (t) => {
  const { cache } = await openStore(t, onnxFiles(SIZE), { maxSize: 3.5 * SIZE })
  await cache.downloadQuant(REPO, 'fp32', { keep: true })
  await cache.downloadQuant(REPO, 'fp16')
  await cache.downloadQuant(REPO, 'q8')
  const open = cache.getFile(REPO, 'onnx/model_fp16.onnx')
  await cache.downloadQuant(REPO, 'q4')
  t.deepEqual(stored(cache), ['fp16', 'fp32', 'q4'])
  open?.close()
})

test('where what may go is not enough nothing goes, and the download says what it needs', async (t) => {
  const { cache, hub } = await openStore(t, onnxFiles(SIZE), { maxSize: TWO })
  await cache.downloadQuant(REPO, 'fp32', { keep: true })
  await cache.downloadQuant(REPO, 'fp16')
  const open = cache.getFile(REPO, 'onnx/model_fp16.onnx')
  hub.log.clear()
  const error = await t.throwsAsync(cache.downloadQuant(REPO, 'q4'), { code: 'ERR_NO_SPACE' })
  t.like(error, { needed: SIZE })
  t.regex(error?.message ?? '', /of the 2621440 that the model cache at .* may hold/)
  t.deepEqual(stored(cache), ['fp16', 'fp32'])
  t.is(hub.log.filter({ origin: 'cdn' }).length, 0)
  open?.close()
  await cache.downloadQuant(REPO, 'q4')
  t.deepEqual(stored(cache), ['fp32', 'q4'])
})

test('a file that is larger than the limit is refused before anything goes', async (t) => {
  const { cache } = await openStore(t, onnxFiles(SIZE), { maxSize: SIZE / 2 })
  await t.throwsAsync(cache.downloadFile(REPO, 'onnx/model.onnx'), { code: 'ERR_NO_SPACE' })
  await cache.downloadFile(REPO, 'config.json')
  t.is(cache.stats().files, 1)
})

test('what goes takes no file that the new quant needs', async (t) => {
  const { cache } = await openStore(t, onnxFiles(SIZE), { maxSize: 1.5 * SIZE })
  await cache.downloadQuant(REPO, 'fp32')
  await cache.downloadQuant(REPO, 'q4')
  t.deepEqual(stored(cache), ['q4'])
})

test('what goes takes no bytes that the new quant needs, though it had them under another commit', async (t) => {
  const weights = { size: SIZE, seed: 'weights' }
  const { cache, hub } = await openStore(
    t,
    { 'm-Q4_K_M.gguf': weights, 'config.json': { size: SIZE, seed: 'old' } },
    { maxSize: TWO },
  )
  await cache.downloadQuant(REPO, 'Q4_K_M')
  const moved = await makeFolder(t)
  await writeFiles(moved, { 'm-Q4_K_M.gguf': weights, 'config.json': { size: SIZE, seed: 'new' } })
  hub.setRevision(REPO, 'main', moved)
  await cache.scanRepo(REPO)
  hub.log.clear()
  await cache.downloadQuant(REPO, 'Q4_K_M')
  t.deepEqual(stored(cache), ['Q4_K_M'])
  t.deepEqual(hub.log.filter({ path: /m-Q4_K_M/ }), [])
  t.is(cache.stats().bytes, 2 * SIZE)
})

test('bytes that two repositories share are free when both are gone', async (t) => {
  const files = onnxFiles(SIZE)
  const { hub } = await startHub(t, { 'acme/one': files, 'acme/two': files })
  const cache = await ModelCache.open({ path: await makeFolder(t), endpoint: hub.url, maxSize: TWO })
  t.teardown(() => cache.close())
  await cache.downloadQuant('acme/one', 'fp32')
  await cache.downloadQuant('acme/two', 'fp32')
  await cache.downloadQuant('acme/two', 'q8')
  await cache.downloadQuant('acme/two', 'q4')
  t.deepEqual(stored(cache, 'acme/one'), [])
  t.deepEqual(stored(cache, 'acme/two'), ['q4', 'q8'])
})
