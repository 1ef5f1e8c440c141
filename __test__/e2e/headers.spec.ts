import { mkdir, symlink } from 'node:fs/promises'
import { dirname, join, resolve } from 'node:path'
import { type Manifest, ModelCache, type OpenOptions } from '@tabagent/model-cache'
import test, { type ExecutionContext } from 'ava'
import { LocalHub } from '../../local-hub/index.js'
import { randomBytes } from '../support/content.js'
import { makeFolder } from '../support/folder.js'
import { expectRequests, startHub } from '../support/hub.js'
import { ggufFile, safetensorsFile } from '../support/model-file.js'
import { gather, message, model } from '../support/onnx.js'
import { writeFiles } from '../support/repository.js'
import { openStore, REPO } from '../support/store.js'
import { CacheProcess } from './cache-process.js'
import { cdnBytes, gate, holdAt, quantOf, until } from './half-way.js'

const half = (name: string, bytes: number) =>
  message([1, bytes / 2], [2, 10], [8, name], [9, randomBytes(bytes, name)])
const SAFETENSORS = safetensorsFile({
  'embed.weight': { dtype: 'BF16', shape: [500, 1000], bytes: 1_000_000 },
  'norm.weight': { dtype: 'F32', shape: [1000], bytes: 4000 },
})
/** Its vocabulary has half a million bytes; 15 is `Q4_K_M`. */
const GGUF = ggufFile('llama', 20_000, 2048, 15)
const ONNX = model([gather('w')], [half('w', 600_000)], ['y_w'])
const FILES = {
  ...{ 'README.md': '# A model\n', 'model.safetensors': SAFETENSORS, 'tiny.gguf': GGUF },
  ...{ 'onnx/model.onnx': ONNX, 'onnx/model_q4.onnx': { size: 300_000, seed: 'q4' } },
}
const MINILM = 'sentence-transformers/all-MiniLM-L6-v2'
const PLAIN = ['fp32', 'model', 'q4', 'tiny']
const REFINED = ['Q4_K_M', 'bf16', 'fp16', 'q4']

const names = (manifest?: Manifest) => Object.keys(manifest?.quants ?? {}).sort()

async function open(t: ExecutionContext, options: OpenOptions) {
  const cache = await ModelCache.open(options)
  t.teardown(() => cache.close())
  return cache
}

/** Requests for listings, and for bytes of files. */
const requests = (hub: LocalHub) => ({
  listings: hub.log.filter({ origin: 'api', path: /^\/api\// }).length,
  bytes: hub.log.filter({ origin: 'cdn' }).length,
})

test('headers name what no name does: one listing and a few ranges, of which nothing is kept', async (t) => {
  const { cache, hub } = await openStore(t, FILES)
  t.deepEqual(names(await cache.scanRepo(REPO)), PLAIN)
  expectRequests(t, hub, { api: 1, cdn: 0 })
  hub.log.clear()
  const manifest = await cache.scanRepo(REPO, { headers: true })
  t.deepEqual(names(manifest), REFINED)
  t.deepEqual(
    quantOf(manifest, 'Q4_K_M').files.map(({ path }) => path),
    ['tiny.gguf'],
  )
  t.deepEqual(cache.getManifest(REPO), manifest)
  const { listings, bytes } = requests(hub)
  t.is(listings, 1)
  // One for safetensors, two for ONNX, doubled ones for the vocabulary.
  t.true(bytes >= 4 && bytes <= 8, `${bytes}`)
  t.true(cdnBytes(hub) < GGUF.length / 2)
  t.is(hub.log.filter({ path: /model_q4/ }).length, 0, 'its name settles that')
  t.like(cache.stats(), { partialBytes: 0, files: 0 })

  hub.log.clear()
  await cache.scanRepo(REPO, { headers: true })
  t.deepEqual(requests(hub), { listings: 1, bytes: 0 })
})

test('the models of the example under names that say nothing: what most of their weights are', async (t) => {
  const root = await makeFolder(t)
  const links: [repo: string, from: string, to: string, name: string][] = [
    ...['fp32', 'fp16', 'q4'].map((quant): [string, string, string, string] => {
      const file = quant === 'fp32' ? 'model.onnx' : `model_${quant}.onnx`
      return [`acme/${quant}`, `${MINILM}/onnx/${file}`, 'onnx/model.onnx', quant]
    }),
    ['acme/q8', `${MINILM}/onnx/model_quantized.onnx`, 'onnx/model.onnx', 'uint8'],
    ['acme/safetensors', `${MINILM}/model.safetensors`, 'model.safetensors', 'fp32'],
    ['acme/gguf', 'acme/chain-llama-GGUF/chain-llama-Q4_0.gguf', 'chain.gguf', 'Q4_0'],
  ]
  for (const [repo, from, to] of links) {
    await mkdir(dirname(join(root, repo, to)), { recursive: true })
    await symlink(resolve('.work/hub', from), join(root, repo, to))
  }
  const hub = await LocalHub.start({ root })
  t.teardown(() => hub.close())
  const cache = await open(t, { path: join(await makeFolder(t), 'store'), endpoint: hub.url })
  for (const [repo, , , name] of links) {
    hub.log.clear()
    t.deepEqual(names(await cache.scanRepo(repo, { headers: true })), [name], repo)
    const { bytes } = requests(hub)
    t.log(`${repo}: ${bytes} requests, ${cdnBytes(hub)} bytes`)
    t.true(bytes <= 4, `${repo}: ${bytes} requests`)
  }
})

test('the names last: in other processes, after a restart, and at other commits with the same files', async (t) => {
  const { cache, hub, path } = await openStore(t, FILES)
  await cache.scanRepo(REPO, { headers: true })
  await cache.close()
  hub.log.clear()
  const other = await CacheProcess.open(t, { path, endpoint: hub.url })
  t.deepEqual(names(await other.call('getManifest', REPO)), REFINED)
  t.deepEqual(names(await other.call('scanRepo', REPO)), REFINED)
  t.is(quantOf(await other.call('downloadQuant', REPO, 'q4_k_m'), 'Q4_K_M').status, 'downloaded')

  const moved = join(await makeFolder(t), 'moved')
  await writeFiles(moved, { ...FILES, 'README.md': '# Better described\n' })
  hub.setRevision(REPO, 'main', moved)
  hub.log.clear()
  const manifest = await other.call('scanRepo', REPO)
  t.deepEqual(names(manifest), REFINED)
  t.deepEqual(requests(hub), { listings: 1, bytes: 0 })
  // What another endpoint says of a file is its own.
  const { hub: mirror } = await startHub(t, { [REPO]: FILES })
  const elsewhere = await open(t, { path, endpoint: mirror.url })
  t.deepEqual(names(await elsewhere.scanRepo(REPO)), PLAIN)
})

test('what was downloaded under the old name is there under the new one, and the old one is understood', async (t) => {
  const { cache, hub, path } = await openStore(t, FILES)
  await cache.downloadQuant(REPO, 'tiny', { keep: true })
  await cache.downloadQuant(REPO, 'model')
  const before = quantOf(cache.getManifest(REPO), 'tiny')
  const seen = new AbortController()
  const watched = cache.watch({ repo: REPO, signal: seen.signal })[Symbol.asyncIterator]()
  t.deepEqual(names((await watched.next()).value), PLAIN)
  const other = await open(t, { path, endpoint: hub.url })
  hub.log.clear()
  const manifest = await other.scanRepo(REPO, { headers: true })
  t.deepEqual(names((await watched.next()).value), REFINED)
  seen.abort()
  t.deepEqual(quantOf(manifest, 'Q4_K_M'), { ...before, name: 'Q4_K_M' })
  t.is(quantOf(manifest, 'bf16').status, 'downloaded')
  t.is(hub.log.filter({ path: /resolve.*(gguf|safetensors)/ }).length, 0, 'what is stored is read there')
  t.is(cache.stats().quants, 2)

  hub.log.clear()
  t.is(quantOf(await cache.downloadQuant(REPO, 'TINY'), 'Q4_K_M').status, 'downloaded')
  t.is((await cache.exportQuant(REPO, 'tiny', await makeFolder(t))).files.length, 1)
  expectRequests(t, hub, { api: 0, cdn: 0 })
  const { quants } = await cache.prune({ maxSize: 0 })
  t.deepEqual(quants, [{ repo: REPO, quant: 'bf16' }], 'what was to be kept still is')
  t.is((await cache.removeQuant(REPO, 'tiny')).files, 1)
  await t.throwsAsync(cache.downloadQuant(REPO, 'none'), {
    code: 'ERR_QUANT_NOT_FOUND',
    message: /Q4_K_M/,
  })
})

test('a name lasts as long as a repository is known that has the file, and is found again', async (t) => {
  const other = 'acme/other'
  const { hub } = await startHub(t, { [REPO]: FILES, [other]: { 'renamed.gguf': GGUF } })
  const cache = await open(t, { path: join(await makeFolder(t), 'store'), endpoint: hub.url })
  await cache.scanRepo(REPO, { headers: true })
  t.deepEqual(names(await cache.scanRepo(other)), ['Q4_K_M'])
  await cache.removeRepo(REPO)
  t.is((await cache.prune()).orphans, 0, 'nothing is left of the others')
  t.deepEqual(names(await cache.scanRepo(other, { refresh: true })), ['Q4_K_M'])
  t.deepEqual(names(await cache.scanRepo(REPO)), ['Q4_K_M', 'fp32', 'model', 'q4'])
  await cache.removeRepo(REPO)
  await cache.removeRepo(other)
  t.deepEqual(names(await cache.scanRepo(other)), ['renamed'])
  t.deepEqual(names(await cache.scanRepo(other, { headers: true })), ['Q4_K_M'])
})

test('a name that headers gave stays when another file of a later commit has the same header', async (t) => {
  const a = ggufFile('llama', 10, 1, 7)
  const { cache, hub } = await openStore(t, { 'a.gguf': a })
  t.deepEqual(names(await cache.scanRepo(REPO, { headers: true })), ['Q8_0'])
  const moved = join(await makeFolder(t), 'moved')
  await writeFiles(moved, { 'a.gguf': a, 'b.gguf': ggufFile('llama', 20, 1, 7) })
  hub.setRevision(REPO, 'main', moved)
  t.deepEqual(names(await cache.scanRepo(REPO, { headers: true })), ['Q8_0', 'b'])
  const { files } = quantOf(await cache.scanRepo(REPO, { refresh: true }), 'Q8_0')
  t.deepEqual(
    files.map(({ path }) => path),
    ['a.gguf'],
  )
})

test('a quant that is being downloaded keeps its name until nobody downloads it', async (t) => {
  const { cache, hub, path } = await openStore(t, FILES)
  await cache.scanRepo(REPO)
  const half = holdAt(hub, 700_000)
  const moving = gate()
  const download = cache.downloadQuant(REPO, 'tiny', {
    onProgress: ({ loaded }) => loaded > 0 && moving.open(),
  })
  await moving.opened
  const other = await open(t, { path, endpoint: hub.url })
  t.deepEqual(names(await other.scanRepo(REPO, { headers: true })), PLAIN)
  t.deepEqual(names(await other.scanRepo(REPO, { refresh: true })), PLAIN)
  t.is(quantOf(cache.getManifest(REPO), 'tiny').status, 'downloading')
  half.open()
  t.is(quantOf(await download, 'tiny').status, 'downloaded')
  hub.log.clear()
  const manifest = await other.scanRepo(REPO)
  t.deepEqual(names(manifest), REFINED)
  t.is(quantOf(manifest, 'Q4_K_M').status, 'downloaded')
  t.deepEqual(requests(hub), { listings: 1, bytes: 0 })
})

test('offline the headers of stored files are read', async (t) => {
  const { cache, hub, path } = await openStore(t, FILES)
  const offline = await open(t, { path, endpoint: hub.url, offline: true })
  await t.throwsAsync(offline.scanRepo(REPO, { headers: true }), {
    code: 'ERR_OFFLINE',
    message: /was never scanned/,
  })
  await cache.downloadQuant(REPO, 'model')
  hub.log.clear()
  const known = await offline.scanRepo(REPO, { headers: true })
  t.deepEqual(names(known), ['bf16', 'fp32', 'q4', 'tiny'])
  t.is(hub.log.records.length, 0)
  t.deepEqual(names(cache.getManifest(REPO)), names(known))
})

test('a store that may not be written has one name for a quant in all its answers', async (t) => {
  const { cache, hub, path } = await openStore(t, FILES)
  await cache.downloadQuant(REPO, 'model')
  const half = holdAt(hub, 700_000)
  const moving = gate()
  const download = cache.downloadQuant(REPO, 'tiny', {
    onProgress: ({ loaded }) => loaded > 0 && moving.open(),
  })
  await moving.opened
  const reader = await open(t, { path, endpoint: hub.url, readOnly: true })
  hub.log.clear()
  const manifest = await reader.scanRepo(REPO, { headers: true })
  const states = (shown?: Manifest) =>
    Object.values(shown?.quants ?? {}).map(({ name, status }) => `${name} ${status}`)
  const expected = ['fp32 available', 'model downloaded', 'q4 available', 'tiny downloading']
  t.deepEqual(states(manifest).sort(), expected)
  t.deepEqual(states(reader.getManifest(REPO)), states(manifest))
  t.deepEqual(requests(hub), { listings: 1, bytes: 0 }, 'no header would change a name')
  for (const { name } of Object.values(manifest.quants).filter(({ status }) => status === 'downloaded'))
    t.is((await reader.exportQuant(REPO, name, await makeFolder(t))).files.length, 1)
  half.open()
  await download

  await cache.scanRepo(REPO, { headers: true })
  t.deepEqual(names(await reader.scanRepo(REPO)), REFINED, 'as soon as they are stored')
  const moved = join(await makeFolder(t), 'moved')
  await writeFiles(moved, { 'new.gguf': ggufFile('llama', 10, 1, 7) })
  hub.setRevision(REPO, 'main', moved)
  const newer = await reader.scanRepo(REPO, { headers: true })
  t.deepEqual(names(newer), ['Q8_0'], 'of a commit that is not stored only this call knows')
  t.not(newer.commit, reader.getManifest(REPO)?.commit)
})

test('a header without sense leaves the name, and is not asked for again', async (t) => {
  const damaged = Buffer.concat([Buffer.from('GGUF'), Buffer.alloc(300_000, 0xff)])
  const packed = safetensorsFile({ w: { dtype: 'I32', shape: [100_000], bytes: 400_000 } })
  const { cache, hub } = await openStore(t, { 'odd.gguf': damaged, 'model.safetensors': packed })
  for (const bytes of [2, 0]) {
    hub.log.clear()
    t.deepEqual(names(await cache.scanRepo(REPO, { headers: true })), ['model', 'odd'])
    t.deepEqual(requests(hub), { listings: 1, bytes })
  }
})

test('between very many weights of ONNX a scan makes sixteen requests, and later ones more until it is sure', async (t) => {
  const single = Array.from({ length: 20 }, (_, at) =>
    message([1, 50_000], [2, 1], [8, `s${at}`], [9, randomBytes(200_000, `s${at}`)]),
  )
  const halves = Array.from({ length: 70 }, (_, at) => half(`w${at}`, 200_000))
  const large = model([gather('w0')], [...single, ...halves], ['y_w0'])
  const { cache, hub } = await openStore(t, { 'model.onnx': large })
  for (const [name, bytes] of [
    ['fp32', 16],
    ['fp32', 32],
    ['fp16', 64],
    ['fp16', 0],
  ] as const) {
    hub.log.clear()
    t.deepEqual(names(await cache.scanRepo(REPO, { headers: true })), [name])
    t.deepEqual(requests(hub), { listings: 1, bytes }, 'what was read to no end is read again')
  }
})

test('what is not sure becomes so when the file is stored', async (t) => {
  const weights = Array.from({ length: 20 }, (_, at) => half(`w${at}`, 200_000))
  const rest = message([1, 20_000_000], [2, 3], [8, 'bytes'], [9, randomBytes(20_000_000, 'bytes')])
  const { cache, hub } = await openStore(t, {
    'model.onnx': model([gather('w0')], [...weights, rest], ['y_w0']),
  })
  t.deepEqual(names(await cache.scanRepo(REPO, { headers: true })), ['fp16'])
  await cache.downloadQuant(REPO, 'fp16')
  for (let again = 0; again < 2; again += 1) {
    hub.log.clear()
    const manifest = await cache.scanRepo(REPO, { headers: true })
    t.is(quantOf(manifest, 'int8').status, 'downloaded')
    t.deepEqual(requests(hub), { listings: 1, bytes: 0 })
  }
})

test('one scan reads at most 32 headers, the next one goes on', async (t) => {
  const files = Object.fromEntries(
    Array.from({ length: 40 }, (_, at) => [`m${at}.gguf`, ggufFile('llama', at, 1, 15)]),
  )
  const { cache, hub } = await openStore(t, files)
  for (const bytes of [32, 8, 0]) {
    hub.log.clear()
    t.is(names(await cache.scanRepo(REPO, { headers: true })).length, 40)
    t.deepEqual(requests(hub), { listings: 1, bytes })
  }
})

test('a header that the endpoint does not give fails the call, and the listing is there', async (t) => {
  const settings = { gated: 'manual' as const, allowed: ['hf_secret'] }
  const { cache, hub, path } = await openStore(t, FILES, {}, { settings, tokens: ['hf_secret'] })
  await t.throwsAsync(cache.scanRepo(REPO, { headers: true }), { code: 'ERR_GATED' })
  t.deepEqual(names(cache.getManifest(REPO)), PLAIN)
  const allowed = await open(t, { path, endpoint: hub.url, token: 'hf_secret' })
  t.deepEqual(names(await allowed.scanRepo(REPO, { headers: true })), REFINED)
})

test('an abort ends a scan that reads headers', async (t) => {
  const { cache, hub } = await openStore(t, FILES)
  const [asked, never] = [gate(), gate()]
  hub.fault = ({ origin }) => {
    if (origin !== 'cdn') return undefined
    asked.open()
    return { hold: never.opened }
  }
  const controller = new AbortController()
  const call = cache.scanRepo(REPO, { headers: true, signal: controller.signal })
  await asked.opened
  controller.abort(new Error('enough'))
  await t.throwsAsync(call, { message: 'enough' })
  hub.fault = undefined
  never.open()
  await until(() => cache.getManifest(REPO) !== undefined)
  t.deepEqual(names(await cache.scanRepo(REPO, { headers: true })), REFINED)
})
