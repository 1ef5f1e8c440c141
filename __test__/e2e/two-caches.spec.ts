import { cp } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { Worker } from 'node:worker_threads'
import { ModelCache } from '@tabagent/model-cache'
import test from 'ava'
import { randomBytes } from '../support/content.js'
import { makeFolder } from '../support/folder.js'
import { ggufFiles } from '../support/repository.js'
import { openStore, openStored, REPO } from '../support/store.js'
import { cdnBytes, holdAt, MIB, quantOf, SLACK } from './half-way.js'

const SIZE = 40 * MIB
const QUANT = 'Q4_K_M'
const PATH = 'm-Q4_K_M.gguf'
const FILES = ggufFiles('m', [QUANT], SIZE)

test('two caches of one store in one process download once', async (t) => {
  const { cache, hub, path } = await openStore(t, FILES)
  const second = await ModelCache.open({ path, endpoint: hub.url })
  t.teardown(() => second.close())
  await cache.scanRepo(REPO)
  const held = holdAt(hub, 0)
  const downloads = [cache.downloadQuant(REPO, QUANT), second.downloadQuant(REPO, QUANT)]
  await hub.log.waitFor((log) => log.filter({ origin: 'cdn' }).length > 0)
  held.open()
  for (const manifest of await Promise.all(downloads)) t.is(quantOf(manifest, QUANT).status, 'downloaded')
  t.true(cdnBytes(hub) <= SIZE + SLACK)
  t.is(openStored(second, PATH).buffer, openStored(cache, PATH).buffer)
})

test('one of two caches is closed in the middle of their download: the other ends it', async (t) => {
  const { cache, hub, path } = await openStore(t, FILES)
  const second = await ModelCache.open({ path, endpoint: hub.url })
  t.teardown(() => second.close())
  await cache.scanRepo(REPO)
  const held = holdAt(hub, SIZE / 2)
  const first = cache.downloadQuant(REPO, QUANT)
  await hub.log.waitFor(() => cdnBytes(hub) >= SIZE / 2)
  const other = second.downloadQuant(REPO, QUANT)
  const [, error] = await Promise.all([cache.close(), t.throwsAsync(first)])
  t.like(error, { code: 'ERR_CLOSED' })
  held.open()
  t.is(quantOf(await other, QUANT).status, 'downloaded')
  t.true(cdnBytes(hub) <= SIZE + SLACK)
  t.true(openStored(second, PATH).buffer.equals(randomBytes(SIZE, PATH)))
})

test('a second copy of the library in one process is told that the store is in use', async (t) => {
  const { cache, hub, path } = await openStore(t, { 'config.json': '{}' })
  await cache.downloadFile(REPO, 'config.json')
  const copy = await makeFolder(t)
  const dist = dirname(fileURLToPath(import.meta.resolve('@tabagent/model-cache')))
  await cp(join(dist, '..', 'package.json'), join(copy, 'package.json'))
  await cp(dist, join(copy, 'dist'), { recursive: true })
  const { ModelCache: Second } = (await import(
    pathToFileURL(join(copy, 'dist', 'index.js')).href
  )) as typeof import('@tabagent/model-cache')
  const error = await t.throwsAsync(Second.open({ path, endpoint: hub.url }), { code: 'ERR_IN_USE' })
  t.regex(error?.message ?? '', /another copy of this library/)
  const file = openStored(cache, 'config.json')
  t.is(await file.text(), '{}')
  file.close()
  await cache.close()
  const second = await Second.open({ path, endpoint: hub.url })
  t.true(second.hasFile(REPO, 'config.json'))
  await second.close()
})

const DOWNLOAD_IN_WORKER = `
  import { parentPort, workerData } from 'node:worker_threads'
  const { ModelCache } = await import(workerData.library)
  const cache = await ModelCache.open(workerData.options)
  const manifest = await cache.downloadQuant('${REPO}', '${QUANT}')
  await cache.close()
  parentPort.postMessage(manifest.quants['${QUANT}'].status)
`

test('what a worker thread downloads is there for all', async (t) => {
  const { cache, hub, path } = await openStore(t, FILES)
  const worker = new Worker(new URL(`data:text/javascript,${encodeURIComponent(DOWNLOAD_IN_WORKER)}`), {
    workerData: {
      library: import.meta.resolve('@tabagent/model-cache'),
      options: { path, endpoint: hub.url },
    },
  })
  const status = await new Promise((resolve, reject) => worker.once('message', resolve).once('error', reject))
  t.is(status, 'downloaded')
  t.true(openStored(cache, PATH).buffer.equals(randomBytes(SIZE, PATH)))
  t.is(quantOf(cache.getManifest(REPO), QUANT).status, 'downloaded')
})
