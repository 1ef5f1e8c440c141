import test from 'ava'
import { randomBytes } from '../support/content.js'
import { expectRequests, startHub } from '../support/hub.js'
import { type Files, ggufFiles, onnxFiles } from '../support/repository.js'
import { openStore, REPO } from '../support/store.js'
import { cdnBytes, ONE_BODY, quantOf } from './half-way.js'

const SIZE = ONE_BODY
const PATH = 'onnx/model_quantized.onnx'

test('a quant end to end: its files, and only they, are stored with the right bytes', async (t) => {
  const files = onnxFiles(SIZE)
  const { cache } = await openStore(t, files)
  const { quants } = await cache.downloadQuant(REPO, 'q8')
  const q8 = quants['q8']
  t.like(q8, { status: 'downloaded', downloaded: q8?.size })
  for (const { path, stored } of q8?.files ?? []) {
    t.true(stored && cache.hasFile(REPO, path), path)
    const content = files[path]
    const expected = typeof content === 'string' ? Buffer.from(content) : randomBytes(SIZE, path)
    t.true(cache.getFile(REPO, path)?.buffer.equals(expected), path)
  }
  t.deepEqual(
    cache
      .listFiles(REPO)
      .map(({ path }) => path)
      .sort(),
    q8?.files.map(({ path }) => path).sort(),
  )
  t.is(quants['q4']?.status, 'available')
  t.false(cache.hasFile(REPO, 'onnx/model_q4.onnx'))
})

test('a stored quant asks nothing, also not in the next process', async (t) => {
  const { cache, hub } = await openStore(t, onnxFiles(SIZE))
  await cache.downloadQuant(REPO, 'q8')
  hub.log.clear()
  t.is((await cache.downloadQuant(REPO, 'Q8')).quants['q8']?.status, 'downloaded')
  t.is((await cache.fetchFile(REPO, PATH)).size, SIZE)
  t.true((await cache.downloadFile(REPO, PATH)).stored)
  expectRequests(t, hub, { api: 0, cdn: 0 })
})

const SMALL = [
  ...['config', 'generation_config', 'tokenizer', 'tokenizer_config', 'special_tokens_map', 'added_tokens'],
  ...[
    'vocab',
    'preprocessor_config',
    'processor_config',
    'video_preprocessor_config',
    'image_processor_config',
  ],
  ...[
    'chat_template',
    'quantize_config',
    'adapter_config',
    'feature_extractor_config',
    'sentence_bert_config',
  ],
  ...['modules', 'audio_config'],
].map((name) => `${name}.json`)

/** 20 small files in git and 5 shards in LFS. */
function snapshotFiles(): Files {
  const shards = [1, 2, 3, 4, 5].map((shard) => `model-0000${shard}-of-00005.safetensors`)
  const small = [...SMALL, 'model.safetensors.index.json', 'merges.txt']
  return Object.fromEntries([
    ...shards.map((path) => [path, { size: SIZE, seed: path }] as const),
    ...small.map((path) => [path, `{"name":"${path}"}`] as const),
  ])
}

test('25 files from an empty cache are 51 requests', async (t) => {
  const files = snapshotFiles()
  t.is(Object.keys(files).length, 25)
  const { cache, hub } = await openStore(t, files)
  const { commit } = await cache.scanRepo(REPO)
  await Promise.all(Object.keys(files).map((path) => cache.downloadFile(REPO, path, { revision: commit })))
  t.is(cache.listFiles(REPO).length, 25)
  // One listing; then where each file is, and its bytes, which the Hub itself has of the small ones.
  expectRequests(t, hub, { api: 1 + 25 + 20, cdn: 5 })
})

test('a sharded quant comes with its index and configuration, each file with one look-up and one transfer', async (t) => {
  const { cache, hub } = await openStore(t, snapshotFiles())
  const { quants } = await cache.downloadQuant(
    REPO,
    Object.keys((await cache.scanRepo(REPO)).quants)[0] ?? '',
  )
  const [quant] = Object.values(quants)
  const count = quant?.files.length ?? 0
  t.true(quant?.files.some(({ path }) => path === 'model.safetensors.index.json'))
  t.is(quant?.files.filter(({ role }) => role === 'weights').length, 5)
  expectRequests(t, hub, { api: 1 + count + (count - 5), cdn: 5 })
})

test('the token goes to the Hub and nowhere else', async (t) => {
  const { hub } = await startHub(t, { [REPO]: onnxFiles(SIZE) }, { tokens: ['hf_token'] })
  const { cache } = await openStore(t, {}, { endpoint: hub.url, token: 'hf_token' })
  await cache.downloadQuant(REPO, 'q8')
  t.true(hub.log.filter({ origin: 'cdn' }).length > 0)
  t.deepEqual(hub.log.filter({ origin: 'cdn', authorization: true }), [])
  t.deepEqual(hub.log.filter({ origin: 'api', authorization: false }), [])
})

test('downloadFile brings one file and says what it is', async (t) => {
  const { cache } = await openStore(t, onnxFiles(SIZE))
  const file = await cache.downloadFile(REPO, PATH)
  t.like(file, { path: PATH, size: SIZE, role: 'weights', stored: true, digest: { algorithm: 'sha256' } })
  t.deepEqual(cache.listFiles(REPO), [file])
  t.is(cache.getManifest(REPO)?.quants['q8']?.status, 'available', 'its other files are missing')
})

test('the last missing file completes the quant, however it came', async (t) => {
  const { cache } = await openStore(t, onnxFiles(SIZE))
  const { quants } = await cache.scanRepo(REPO)
  for (const { path } of quants['q4']?.files ?? []) await cache.downloadFile(REPO, path)
  t.is(cache.getManifest(REPO)?.quants['q4']?.status, 'downloaded')
})

test('fetchFile downloads what is not stored and opens what is', async (t) => {
  const { cache, hub } = await openStore(t, onnxFiles(SIZE))
  t.is(cache.getFile(REPO, PATH), undefined)
  const file = await cache.fetchFile(REPO, PATH)
  t.true(file.buffer.equals(randomBytes(SIZE, PATH)))
  hub.log.clear()
  t.is((await cache.fetchFile(REPO, PATH)).buffer, file.buffer)
  expectRequests(t, hub, { api: 0, cdn: 0 })
})

test('simultaneous downloads of a quant share one transfer', async (t) => {
  const { cache, hub } = await openStore(t, onnxFiles(SIZE))
  await cache.scanRepo(REPO)
  hub.log.clear()
  const calls = [
    cache.downloadQuant(REPO, 'q8'),
    cache.downloadQuant(REPO, 'q8'),
    cache.fetchFile(REPO, PATH),
  ]
  await Promise.all(calls)
  t.is(cdnBytes(hub), SIZE)
  const count = quantOf(cache.getManifest(REPO), 'q8').files.length
  expectRequests(t, hub, { api: count + (count - 1), cdn: 1 })
})

test('quants that share files fetch these once', async (t) => {
  const { cache, hub } = await openStore(t, onnxFiles(SIZE))
  await cache.scanRepo(REPO)
  await Promise.all([cache.downloadQuant(REPO, 'q8'), cache.downloadQuant(REPO, 'q4')])
  for (const { path } of cache.getManifest(REPO)?.sharedFiles ?? []) {
    t.is(hub.log.filter({ path: new RegExp(`/resolve/.*/${path}$`) }).length, 1, path)
  }
  t.is(cdnBytes(hub), 2 * SIZE)
})

test('the same bytes in another repository are not fetched again', async (t) => {
  const files = ggufFiles('m', ['Q4_K_M'], SIZE)
  const { hub } = await startHub(t, { [REPO]: files, 'acme/copy': files })
  const { cache } = await openStore(t, {}, { endpoint: hub.url })
  await cache.downloadQuant(REPO, 'Q4_K_M')
  hub.log.clear()
  await cache.downloadQuant('acme/copy', 'Q4_K_M')
  t.is(cdnBytes(hub), 0)
  t.is(cache.stats().blobs, 1)
  t.is(cache.getFile('acme/copy', 'm-Q4_K_M.gguf')?.buffer, cache.getFile(REPO, 'm-Q4_K_M.gguf')?.buffer)
})
