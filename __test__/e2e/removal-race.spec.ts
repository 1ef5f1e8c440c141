import test from 'ava'
import { randomBytes } from '../support/content.js'
import { ggufFiles } from '../support/repository.js'
import { openStore, openStored, REPO } from '../support/store.js'
import { CacheProcess } from './cache-process.js'
import { holdAt, MIB } from './half-way.js'

const SIZE = 4 * MIB
const PATH = 'm-Q4_K_M.gguf'
const FILES = { ...ggufFiles('m', ['Q4_K_M', 'Q8_0'], SIZE), 'config.json': '{"a":1}' }

/** Another process has begun to download one file, and cannot go on before `held` is opened. */
async function startFile(t: Parameters<typeof openStore>[0]) {
  const store = await openStore(t, FILES)
  await store.cache.downloadFile(REPO, 'config.json')
  const held = holdAt(store.hub, 0)
  const other = await CacheProcess.open(t, { path: store.path, endpoint: store.hub.url })
  const download = other.call('downloadFile', REPO, PATH).then(
    ({ stored }) => stored,
    () => false,
  )
  await store.hub.log.waitFor((log) => log.filter({ origin: 'cdn' }).length > 0)
  return { ...store, held, download }
}

test('a repository that is removed while another process brings one of its files leaves nothing unseen', async (t) => {
  const { cache, held, download } = await startFile(t)
  const removed = await cache.removeRepo(REPO).catch((error: { code?: string }) => error.code)
  held.open()
  const stored = await download
  const listed = cache.listFiles(REPO).map(({ path }) => path)
  t.is(cache.stats().files, listed.length, JSON.stringify({ removed, stored, listed }))
  t.is(listed.includes(PATH), stored)
})

test('a quant that is removed while another process brings its file keeps that file, by its path', async (t) => {
  const { cache, held, download } = await startFile(t)
  const kept = await cache.removeQuant(REPO, 'Q4_K_M').then(
    (report) => report.kept.map(({ path }) => path),
    (error: { code?: string }) => [error.code],
  )
  t.true(kept.includes(PATH) || kept.includes('ERR_IN_USE'), String(kept))
  held.open()
  t.true(await download)
  t.true(openStored(cache, PATH).buffer.equals(randomBytes(SIZE, PATH)))
})
