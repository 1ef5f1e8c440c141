import { ModelCache } from '@tabagent/model-cache'
import test from 'ava'
import { randomBytes } from '../support/content.js'
import { damageFile, damageRecord } from '../support/damage.js'
import { startHub } from '../support/hub.js'
import { onnxFiles } from '../support/repository.js'
import { openStore, REPO } from '../support/store.js'
import { CacheProcess } from './cache-process.js'
import { cdnBytes, holdAt, MIB, recorded } from './half-way.js'

const SIZE = 110 * MIB + 1000
const PATH = 'model.gguf'
const BYTES = randomBytes(SIZE, PATH)
const BLOCK = 4 * MIB
const CONFIG = Buffer.from('{"model_type":"bert"}\n')

/** A store with a file of two chunks in it, and no request so far. */
async function openLarge(t: Parameters<typeof openStore>[0]) {
  const store = await openStore(t, { [PATH]: { size: SIZE, seed: PATH }, 'config.json': CONFIG })
  for (const path of [PATH, 'config.json']) await store.cache.downloadFile(REPO, path)
  store.hub.log.clear()
  return store
}

test('one inverted byte in 110 MiB costs one block, and open views show the right byte', async (t) => {
  const { cache, hub } = await openLarge(t)
  const view = cache.getFile(REPO, PATH)
  const at = 105 * MIB
  await damageFile(cache, REPO, PATH, at)
  t.not(view?.buffer[at], BYTES[at])
  const { damaged } = await cache.verify({ repair: true })
  const block = { path: PATH, offset: at - (at % BLOCK), length: BLOCK, repaired: true }
  t.is(damaged.length, 1)
  t.like(damaged[0], block)
  t.is(damaged[0]?.why, undefined)
  t.is(cdnBytes(hub), BLOCK)
  t.true(view?.buffer.equals(BYTES))
  t.true(cache.getFile(REPO, PATH, { verify: true })?.buffer.equals(BYTES))
  t.like(await cache.verify({ repair: true }), { damaged: [], missing: [], orphans: 0 })
  t.is(cdnBytes(hub), BLOCK, 'nothing is fetched where nothing is damaged')
})

test('damage in several places and in a small file is repaired at once, for all who have the bytes', async (t) => {
  const files = { 'a.gguf': { size: 20 * MIB, seed: 'a' }, 'config.json': CONFIG }
  const { hub } = await startHub(t, { 'acme/one': files, 'acme/two': files })
  const { cache, path } = await openStore(t, {}, { endpoint: hub.url })
  for (const repo of ['acme/one', 'acme/two'])
    for (const file of Object.keys(files)) await cache.downloadFile(repo, file)
  for (const at of [0, 5 * MIB, 17 * MIB]) await damageFile(cache, 'acme/one', 'a.gguf', at)
  await damageRecord(path, CONFIG)
  hub.log.clear()
  const { damaged } = await cache.verify({ repair: true })
  t.true(damaged.every(({ repaired }) => repaired))
  const told = damaged.map(({ repo, path: file, offset, length }) => [repo, file, offset, length])
  const each = (repo: string) => [
    [repo, 'a.gguf', 0, 2 * BLOCK],
    [repo, 'a.gguf', 4 * BLOCK, BLOCK],
    [repo, 'config.json', 0, CONFIG.length],
  ]
  t.deepEqual(told.sort(), [...each('acme/one'), ...each('acme/two')].sort())
  t.true(hub.log.bytesSent({ origin: 'cdn' }) <= 3 * BLOCK + MIB)
  t.true(cache.getFile('acme/two', 'a.gguf', { verify: true })?.buffer.equals(randomBytes(20 * MIB, 'a')))
  t.true(cache.getFile('acme/one', 'config.json', { verify: true })?.buffer.equals(CONFIG))
})

test('a server that sends other bytes repairs nothing and changes nothing', async (t) => {
  const { cache, hub } = await openLarge(t)
  await damageFile(cache, REPO, PATH, 1)
  hub.fault = ({ origin }) => (origin === 'cdn' ? { alterByte: 100 } : undefined)
  const [damaged] = (await cache.verify({ repair: true })).damaged
  t.like(damaged, { path: PATH, offset: 0, length: BLOCK, repaired: false })
  t.regex(damaged?.why ?? '', /model\.gguf: .*another digest than the listing/)
  const file = cache.getFile(REPO, PATH)
  t.is(file?.buffer[1], ~(BYTES[1] ?? 0) & 0xff, 'the damaged byte is what it was')
  t.is(file?.buffer[100], BYTES[100])
  hub.fault = undefined
  t.true((await cache.verify({ repair: true })).damaged[0]?.repaired)
  t.true(file?.buffer.equals(BYTES))
})

test('why a repair failed is told, and the file stays stored', async (t) => {
  const { cache, hub, path } = await openLarge(t)
  await damageFile(cache, REPO, PATH, 1)
  const offline = await ModelCache.open({ path, endpoint: hub.url, offline: true })
  t.teardown(() => offline.close())
  const without = await offline.verify({ repair: true })
  t.like(without.damaged[0], { repaired: false })
  t.regex(without.damaged[0]?.why ?? '', /offline mode forbids the network/)
  hub.fault = () => ({ answer: { status: 404 } })
  const gone = await cache.verify({ repair: true })
  t.false(gone.damaged[0]?.repaired)
  t.truthy(gone.damaged[0]?.why)
  t.true(cache.hasFile(REPO, PATH))
  const reader = await ModelCache.open({ path, endpoint: hub.url, readOnly: true })
  t.teardown(() => reader.close())
  await t.throwsAsync(reader.verify({ repair: true }), { code: 'ERR_READ_ONLY' })
})

test('a repairing process that is killed leaves the damage to the next one', async (t) => {
  const { cache, hub, path } = await openLarge(t)
  for (const at of [1, 50 * MIB]) await damageFile(cache, REPO, PATH, at)
  const held = holdAt(hub, 10 * MIB)
  const other = await CacheProcess.open(t, { path, endpoint: hub.url })
  const repairing = other.child.call('call', 'verify', [{ repair: true }])
  repairing.catch(() => {})
  await hub.log.waitFor((log) => log.filter({ origin: 'cdn' }).length > 0)
  await other.child.kill()
  held.open()
  t.true(cache.hasFile(REPO, PATH))
  t.is((await cache.verify()).damaged.length, 2)
  const { damaged } = await cache.verify({ repair: true })
  t.deepEqual(
    damaged.map(({ repaired }) => repaired),
    [true, true],
  )
  t.true(cache.getFile(REPO, PATH, { verify: true })?.buffer.equals(BYTES))
})

test('bytes that a download is writing just now are none of a repair', async (t) => {
  const { cache, hub, path } = await openStore(t, onnxFiles(9 * MIB))
  await cache.downloadQuant(REPO, 'q8')
  const held = holdAt(hub, 4 * MIB)
  const other = await CacheProcess.open(t, { path, endpoint: hub.url })
  const { done } = await other.startDownload(REPO, 'q4')
  await recorded(cache, REPO, 'q4', 4 * MIB)
  t.like(await cache.verify({ repair: true }), { damaged: [], missing: [], orphans: 0 })
  held.open()
  await done
})
