import { createHash } from 'node:crypto'
import { join } from 'node:path'
import test from 'ava'
import { randomBytes } from '../support/content.js'
import { makeFolder } from '../support/folder.js'
import { expectRequests, startHub } from '../support/hub.js'
import { ggufFiles, onnxFiles, writeFiles } from '../support/repository.js'
import { openStore, REPO } from '../support/store.js'
import { CacheProcess } from './cache-process.js'
import { cdnBytes, holdAt, MIB, ONE_BODY, quantOf, SLACK } from './half-way.js'

const SIZE = 40 * MIB
const FILES = ggufFiles('m', ['Q4_K_M'], SIZE)
const PATH = 'm-Q4_K_M.gguf'
const DIGEST = createHash('sha256').update(randomBytes(SIZE, PATH)).digest('hex')

async function startTwo(t: Parameters<typeof openStore>[0]) {
  const store = await openStore(t, FILES)
  await store.cache.scanRepo(REPO)
  const options = { path: store.path, endpoint: store.hub.url }
  const [first, second] = await Promise.all([CacheProcess.open(t, options), CacheProcess.open(t, options)])
  return { ...store, first, second }
}

test('the second process waits for the first, then reads: the bytes are fetched once', async (t) => {
  const { cache, hub, first, second } = await startTwo(t)
  const held = holdAt(hub, 0)
  const one = await first.startDownload(REPO, 'Q4_K_M')
  await hub.log.waitFor((log) => log.filter({ origin: 'cdn' }).length > 0)
  t.is(quantOf(cache.getManifest(REPO), 'Q4_K_M').status, 'downloading')
  const two = await second.startDownload(REPO, 'Q4_K_M')
  held.open()
  for (const { done } of [one, two]) t.is(quantOf(await done, 'Q4_K_M').status, 'downloaded')
  t.true(cdnBytes(hub) <= SIZE + SLACK)
  t.deepEqual([await first.digest(REPO, PATH), await second.digest(REPO, PATH)], [DIGEST, DIGEST])
})

test('processes that make a store at the same time make one', async (t) => {
  const { hub } = await startHub(t, { [REPO]: onnxFiles(ONE_BODY) })
  const options = { path: join(await makeFolder(t), 'not', 'yet', 'there'), endpoint: hub.url }
  const children = await Promise.all(Array.from({ length: 6 }, () => CacheProcess.open(t, options)))
  await Promise.all(children.map((child) => child.call('downloadQuant', REPO, 'q8')))
  t.is(cdnBytes(hub), ONE_BODY)
  const path = 'onnx/model_quantized.onnx'
  const expected = createHash('sha256').update(randomBytes(ONE_BODY, path)).digest('hex')
  for (const child of children) t.is(await child.digest(REPO, path), expected)
})

test('a process sees at once what another has scanned, stored and removed', async (t) => {
  const { cache, hub, path } = await openStore(t, onnxFiles(MIB))
  const other = await CacheProcess.open(t, { path, endpoint: hub.url })
  await other.call('scanRepo', REPO)
  t.is(cache.getManifest(REPO)?.quants['q8']?.status, 'available')
  await other.call('downloadQuant', REPO, 'q8')
  hub.log.clear()
  t.is((await cache.downloadQuant(REPO, 'q8')).quants['q8']?.status, 'downloaded')
  t.true(cache.hasFile(REPO, 'onnx/model_quantized.onnx'))
  expectRequests(t, hub, { api: 0, cdn: 0 })
  await cache.removeRepo(REPO)
  t.is(await other.call('getManifest', REPO), undefined)
  t.deepEqual(await other.call('listFiles', REPO), [])
})

test('what was just asked for is looked at again once another process changed it', async (t) => {
  const { cache, hub, path } = await openStore(t, onnxFiles(ONE_BODY))
  const [weights, config] = ['onnx/model_quantized.onnx', 'config.json']
  await cache.downloadQuant(REPO, 'q8')
  const other = await CacheProcess.open(t, { path, endpoint: hub.url })
  const seen = () => ({
    weights: cache.hasFile(REPO, weights),
    config: cache.hasFile(REPO, config),
    opened: cache.getFile(REPO, weights) !== undefined,
    listed: cache.listFiles(REPO).some((file) => file.path === weights),
    status: quantOf(cache.getManifest(REPO), 'q8').status,
  })
  const whole = { weights: true, config: true, opened: true, listed: true, status: 'downloaded' as const }
  for (let round = 0; round < 3; round += 1) {
    t.deepEqual(seen(), whole)
    await other.call('removeFile', REPO, weights)
    const gone = { weights: false, opened: false, listed: false, status: 'available' as const }
    t.deepEqual(seen(), { ...whole, ...gone })
    await other.call('downloadQuant', REPO, 'q8')
  }
  const { commit } = await other.call('scanRepo', REPO)
  t.is(cache.getManifest(REPO)?.commit, commit)
  const moved = join(await makeFolder(t), 'moved')
  await writeFiles(moved, { 'config.json': '{"model_type":"other"}\n' })
  await hub.setRevision(REPO, 'main', moved)
  await other.call('scanRepo', REPO)
  t.not(cache.getManifest(REPO)?.commit, commit)
  await other.call('removeRepo', REPO)
  t.deepEqual([cache.getManifest(REPO), cache.hasFile(REPO, weights)], [undefined, false])
})

test('processes that download different quants at once fetch their shared files once each', async (t) => {
  const { cache, hub, path } = await openStore(t, onnxFiles(ONE_BODY))
  await cache.scanRepo(REPO)
  const options = { path, endpoint: hub.url }
  const quants = ['fp32', 'fp16', 'q8', 'q4']
  const children = await Promise.all(quants.map(() => CacheProcess.open(t, options)))
  await Promise.all(children.map((child, index) => child.call('downloadQuant', REPO, quants[index] ?? '')))
  t.is(cdnBytes(hub), 4 * ONE_BODY)
  for (const quant of quants) t.is(quantOf(cache.getManifest(REPO), quant).status, 'downloaded')
  for (const { path: shared } of cache.getManifest(REPO)?.sharedFiles ?? []) {
    const bodies = hub.log.filter({ path: new RegExp(`/resolve-cache/.*/${shared}$`), status: 200 })
    const parts = hub.log.filter({ path: new RegExp(`/resolve-cache/.*/${shared}$`), status: 206 })
    t.is(bodies.length + parts.length, 1, shared)
  }
})
