import { createHash } from 'node:crypto'
import test from 'ava'
import { randomBytes } from '../support/content.js'
import { ggufFiles } from '../support/repository.js'
import { openStore, openStored, REPO } from '../support/store.js'
import { CacheProcess } from './cache-process.js'
import { MIB } from './half-way.js'

const SIZE = 24 * MIB
const QUANTS = ['Q4_K_M', 'Q5_K_M', 'Q6_K', 'Q8_0']
const FILES = ggufFiles('m', QUANTS, SIZE)
const PATH = 'm-Q4_K_M.gguf'

const digestOf = (path: string) => createHash('sha256').update(randomBytes(SIZE, path)).digest('hex')

async function openWithChild(t: Parameters<typeof openStore>[0]) {
  const store = await openStore(t, FILES)
  await store.cache.downloadQuant(REPO, 'Q4_K_M')
  const options = { path: store.path, endpoint: store.hub.url }
  return { ...store, options, child: await CacheProcess.open(t, options) }
}

test('a write into a buffer is seen neither by the store nor by other processes', async (t) => {
  const { cache, child, options } = await openWithChild(t)
  await child.hold(REPO, PATH)
  const file = openStored(cache, PATH)
  const { buffer } = file
  buffer.fill(0x55)
  t.is(await child.heldDigest(PATH), digestOf(PATH), 'a view from before the write')
  t.is(await child.digest(REPO, PATH), digestOf(PATH), 'a view from after it')
  const late = await CacheProcess.open(t, options)
  t.is(await late.digest(REPO, PATH), digestOf(PATH), 'a new process')
  t.is(openStored(cache, PATH).buffer[SIZE - 1], 0x55, 'the writing process sees it')
})

test('a view stays right while another process removes its file and uses the space again', async (t) => {
  const { cache, child } = await openWithChild(t)
  // Not a byte of it is read before: what the pages hold then is up to the store.
  const file = openStored(cache, PATH)
  const { buffer } = file
  await child.call('removeRepo', REPO)
  for (const quant of QUANTS.slice(1)) {
    await child.call('downloadQuant', REPO, quant)
    await child.call('removeQuant', REPO, quant)
  }
  await child.call('downloadQuant', REPO, 'Q8_0')
  t.true(buffer.equals(randomBytes(SIZE, PATH)))
  t.true(openStored(cache, 'm-Q8_0.gguf').buffer.equals(randomBytes(SIZE, 'm-Q8_0.gguf')))
  t.false(cache.hasFile(REPO, PATH))
})

test('a view stays right while its file is removed and downloaded again', async (t) => {
  const { cache, child } = await openWithChild(t)
  const { buffer } = openStored(cache, PATH)
  await child.call('removeRepo', REPO)
  await child.call('downloadQuant', REPO, 'Q5_K_M')
  await child.call('downloadQuant', REPO, 'Q4_K_M')
  const again = openStored(cache, PATH)
  t.true(again.buffer.equals(randomBytes(SIZE, PATH)))
  t.true(buffer.equals(randomBytes(SIZE, PATH)))
})

test('views of several processes outlive the process that downloaded', async (t) => {
  const { cache, hub, options, child } = await openWithChild(t)
  await child.call('downloadQuant', REPO, 'Q8_0')
  const reader = await CacheProcess.open(t, options)
  await reader.hold(REPO, 'm-Q8_0.gguf')
  const { buffer } = openStored(cache, 'm-Q8_0.gguf')
  await child.child.kill()
  await hub.close()
  t.is(await reader.heldDigest('m-Q8_0.gguf'), digestOf('m-Q8_0.gguf'))
  t.true(buffer.equals(randomBytes(SIZE, 'm-Q8_0.gguf')))
})

test('a killed reader keeps no space: what it viewed is given back', async (t) => {
  const { cache, child } = await openWithChild(t)
  await child.hold(REPO, PATH)
  const full = cache.stats()
  t.true(full.readers > 0)
  await child.child.kill()
  await cache.removeRepo(REPO)
  await cache.downloadQuant(REPO, 'Q5_K_M')
  await cache.removeRepo(REPO)
  t.true(cache.stats().diskBytes <= full.diskBytes - SIZE + MIB)
  t.is(cache.stats().readers, 0)
})
