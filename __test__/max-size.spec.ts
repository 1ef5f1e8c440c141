import { ModelCache } from '@tabagent/model-cache'
import test from 'ava'
import type { LocalHub } from '../local-hub/index.js'
import { holdAt, until } from './e2e/half-way.js'
import { makeFolder } from './support/folder.js'
import { startHub } from './support/hub.js'
import { ggufFiles, onnxFiles, writeFiles } from './support/repository.js'
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

/** Downloads half of a quant's one file of `2 * SIZE` bytes, and no more. */
async function begin(
  { hub, path }: { hub: LocalHub; path: string },
  quant: string,
  { keep = false } = {},
): Promise<void> {
  const held = holdAt(hub, SIZE)
  const cache = await ModelCache.open({ path, endpoint: hub.url })
  const enough = new AbortController()
  const onProgress = ({ loaded }: { loaded: number }) => loaded >= SIZE && enough.abort()
  await cache.downloadQuant(REPO, quant, { keep, onProgress, signal: enough.signal }).catch(() => {})
  await cache.close()
  held.open()
}

const begun = (cache: ModelCache) =>
  Object.values(cache.getManifest(REPO)?.quants ?? {}).map(({ name, downloaded }) => [
    name,
    downloaded / SIZE,
  ])

test('a download that nobody goes on with makes room, too, the one that was left first', async (t) => {
  const store = await openStore(t, ggufFiles('m', ['Q2_K', 'Q4_K_M', 'Q8_0'], 2 * SIZE), {
    maxSize: 3 * SIZE,
  })
  for (const quant of ['Q2_K', 'Q4_K_M']) await begin(store, quant)
  const { quants } = await store.cache.prune({ dryRun: true, maxSize: SIZE })
  t.deepEqual(quants, [{ repo: REPO, quant: 'Q2_K' }])
  await store.cache.downloadQuant(REPO, 'Q8_0')
  t.deepEqual(begun(store.cache), [
    ['Q2_K', 0],
    ['Q4_K_M', 1],
    ['Q8_0', 2],
  ])
  store.hub.log.clear()
  await store.cache.downloadQuant(REPO, 'Q4_K_M')
  t.is(store.hub.log.bytesSent({ origin: 'cdn' }), SIZE, 'what it had itself stays')
  t.deepEqual(stored(store.cache), ['Q4_K_M'])
})

test('a begun download stays where it is to be kept, or a process goes on with it', async (t) => {
  const quants = ['Q2_K', 'Q4_K_M', 'Q8_0']
  const { cache, hub, path } = await openStore(t, ggufFiles('m', quants, 2 * SIZE), { maxSize: 2.5 * SIZE })
  await begin({ hub, path }, 'Q2_K', { keep: true })
  const held = holdAt(hub, SIZE)
  const other = await ModelCache.open({ path, endpoint: hub.url })
  t.teardown(() => other.close())
  const going = other.downloadQuant(REPO, 'Q4_K_M')
  await until(() => cache.stats().partialBytes === 2 * SIZE)
  await t.throwsAsync(cache.downloadQuant(REPO, 'Q8_0'), { code: 'ERR_NO_SPACE' })
  t.is(cache.stats().partialBytes, 2 * SIZE)
  held.open()
  await going
  t.is((await cache.downloadQuant(REPO, 'Q2_K')).quants['Q2_K']?.status, 'downloaded')
  t.is(hub.log.bytesSent({ origin: 'cdn' }), 4 * SIZE)
})

test('what is stored of a quant that is not complete makes room, but for files that complete ones need', async (t) => {
  const shard = (n: number) => `m-Q8_0-0000${n}-of-00002.gguf`
  const files = {
    'config.json': '{}',
    'm-Q2_K.gguf': { size: SIZE, seed: 'Q2_K' },
    'm-Q4_K_M.gguf': { size: 2 * SIZE, seed: 'Q4_K_M' },
    [shard(1)]: { size: SIZE, seed: 'one' },
    [shard(2)]: { size: SIZE, seed: 'two' },
  }
  const { cache } = await openStore(t, files, { maxSize: 3.5 * SIZE })
  await cache.downloadFile(REPO, shard(1))
  await cache.downloadQuant(REPO, 'Q2_K')
  await cache.downloadQuant(REPO, 'Q4_K_M')
  t.false(cache.hasFile(REPO, shard(1)))
  t.deepEqual(stored(cache), ['Q2_K', 'Q4_K_M'])
  t.true(cache.hasFile(REPO, 'config.json'))
})

test('downloads that begin at the same time hold the limit together', async (t) => {
  const { cache, hub } = await openStore(t, onnxFiles(SIZE), { maxSize: TWO })
  await cache.downloadQuant(REPO, 'fp16')
  await Promise.all(['q8', 'q4'].map((quant) => cache.downloadQuant(REPO, quant)))
  t.deepEqual(stored(cache), ['q4', 'q8'])
  await cache.removeRepo(REPO)
  const held = holdAt(hub, 0)
  const calls = ['q8', 'q4', 'fp16'].map((quant) => cache.downloadQuant(REPO, quant))
  const first = await Promise.race(calls.map((call) => call.catch((error) => error.code)))
  t.is(first, 'ERR_NO_SPACE')
  held.open()
  await Promise.allSettled([...calls, cache.downloadQuant(REPO, 'q8')])
  t.is(stored(cache).length, 2)
  t.true(cache.stats().bytes <= TWO)
})

test('what another process has begun counts as what it will be', async (t) => {
  const files = ggufFiles('m', ['Q2_K', 'Q4_K_M', 'Q8_0'], 2 * SIZE)
  const { cache, hub, path } = await openStore(t, files, { maxSize: 5.5 * SIZE })
  await cache.downloadQuant(REPO, 'Q2_K')
  const held = holdAt(hub, SIZE)
  const other = await ModelCache.open({ path, endpoint: hub.url })
  t.teardown(() => other.close())
  const going = other.downloadQuant(REPO, 'Q4_K_M')
  await until(() => cache.stats().partialBytes === SIZE)
  const last = cache.downloadQuant(REPO, 'Q8_0')
  await until(() => cache.stats().partialBytes === 2 * SIZE)
  t.deepEqual(stored(cache), [])
  held.open()
  await Promise.all([going, last])
  t.deepEqual(stored(cache), ['Q4_K_M', 'Q8_0'])
})
