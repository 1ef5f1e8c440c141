import { createHash } from 'node:crypto'
import { ModelCache } from '@tabagent/model-cache'
import test, { type ExecutionContext } from 'ava'
import type { LocalHubOptions } from '../../local-hub/index.js'
import { randomBytes } from '../support/content.js'
import { ggufFiles } from '../support/repository.js'
import { openStore, REPO } from '../support/store.js'
import { CacheProcess } from './cache-process.js'
import { cdnBytes, holdAt, MIB, quantOf, recorded, SLACK } from './half-way.js'

const SIZE = 64 * MIB
const HALF = SIZE / 2
const QUANT = 'Q4_K_M'
const PATH = 'm-Q4_K_M.gguf'
const DIGEST = createHash('sha256').update(randomBytes(SIZE, PATH)).digest('hex')

/** What a process that waits has to notice, at most, after the one that works has died. */
const TAKEOVER_MS = 2000

async function startWith(t: ExecutionContext, waiters: number, hubOptions: Partial<LocalHubOptions> = {}) {
  const store = await openStore(t, ggufFiles('m', [QUANT], SIZE), {}, hubOptions)
  await store.cache.scanRepo(REPO)
  const options = { path: store.path, endpoint: store.hub.url }
  const worker = await CacheProcess.open(t, options)
  const others = await Promise.all(Array.from({ length: waiters }, () => CacheProcess.open(t, options)))
  return { ...store, worker, others }
}

test('the worker is killed: one of those who wait takes over at once what it left, and all end well', async (t) => {
  const { cache, hub, worker, others } = await startWith(t, 2)
  const held = holdAt(hub, HALF)
  await worker.startDownload(REPO, QUANT)
  await recorded(cache, REPO, QUANT, HALF)
  const downloads = await Promise.all(others.map((other) => other.startDownload(REPO, QUANT)))
  await Promise.all(others.map((other) => other.loaded(HALF)))
  hub.log.clear()
  await worker.child.kill()
  const killed = performance.now()
  await hub.log.waitFor((log) => log.filter({ origin: 'cdn' }).length > 0)
  const elapsed = performance.now() - killed
  t.true(elapsed <= TAKEOVER_MS, `${elapsed} ms`)
  t.is(quantOf(cache.getManifest(REPO), QUANT).status, 'downloading')
  held.open()
  for (const { done } of downloads) t.is(quantOf(await done, QUANT).status, 'downloaded')
  t.true(cdnBytes(hub) <= HALF + SLACK, `${cdnBytes(hub)} bytes`)
  for (const other of others) t.is(await other.digest(REPO, PATH), DIGEST)
})

test('the worker is aborted: who waits goes on with what it had stored', async (t) => {
  const { cache, hub, worker, others } = await startWith(t, 1)
  const held = holdAt(hub, HALF)
  const one = await worker.startDownload(REPO, QUANT)
  await worker.loaded(HALF)
  const [other] = others
  const two = await other?.startDownload(REPO, QUANT)
  await other?.loaded(HALF)
  hub.log.clear()
  await worker.abort()
  await t.throwsAsync(one.done, { message: /enough/ })
  await hub.log.waitFor((log) => log.filter({ origin: 'cdn' }).length > 0)
  held.open()
  await two?.done
  t.is(quantOf(cache.getManifest(REPO), QUANT).status, 'downloaded')
  t.true(cdnBytes(hub) <= HALF + SLACK, `${cdnBytes(hub)} bytes`)
  const reports = (await other?.loaded(SIZE)) ?? []
  t.deepEqual(
    reports.map(({ loaded }) => loaded),
    reports.map(({ loaded }) => loaded).sort((a, b) => a - b),
    'nothing of it was lost',
  )
})

const linuxTest = process.platform === 'linux' ? test : test.skip

linuxTest(
  'the worker is stopped: who waits is told so after stallTimeout, and nothing is lost',
  async (t) => {
    const { cache, hub, path, worker } = await startWith(t, 0)
    const held = holdAt(hub, HALF)
    const one = await worker.startDownload(REPO, QUANT)
    await recorded(cache, REPO, QUANT, HALF)
    // Once this has written, the other process is not within a transaction: stopped there, it would stop all who write.
    await cache.scanRepo(REPO)
    worker.child.pause()
    const waiter = await ModelCache.open({ path, endpoint: hub.url, stallTimeout: 500 })
    t.teardown(() => waiter.close())
    await t.throwsAsync(waiter.downloadQuant(REPO, QUANT), {
      code: 'ERR_IN_USE',
      message: /m-Q4_K_M\.gguf is in use: process \d+, which downloads it, is stopped; let that go on/,
    })
    const two = waiter.downloadQuant(REPO, QUANT)
    worker.child.resume()
    held.open()
    t.is(quantOf(await one.done, QUANT).status, 'downloaded')
    t.is(quantOf(await two, QUANT).status, 'downloaded')
    t.true(cdnBytes(hub) <= SIZE + SLACK, `${cdnBytes(hub)} bytes`)
  },
)

test('killed at full speed: at most 16 MiB are lost', async (t) => {
  const { hub, worker, others } = await startWith(t, 1, { throttle: 4 * MIB })
  await worker.startDownload(REPO, QUANT)
  const two = await others[0]?.startDownload(REPO, QUANT)
  await worker.loaded(HALF)
  await worker.child.kill()
  await two?.done
  t.true(cdnBytes(hub) <= SIZE + SLACK, `${cdnBytes(hub) - SIZE} bytes twice`)
  t.is(await others[0]?.digest(REPO, PATH), DIGEST)
})

test('killed again and again, by whoever works, it still arrives', async (t) => {
  const { cache, hub, path, worker, others } = await startWith(t, 1)
  let [working, waiting] = [worker, others[0] as CacheProcess]
  holdAt(hub, SIZE / 4)
  await working.startDownload(REPO, QUANT)
  for (const part of [1, 2, 3]) {
    await waiting.startDownload(REPO, QUANT)
    await recorded(cache, REPO, QUANT, (part * SIZE) / 4)
    holdAt(hub, ((part + 1) * SIZE) / 4)
    await working.child.kill()
    working = waiting
    waiting = await CacheProcess.open(t, { path, endpoint: hub.url })
  }
  const { done } = await waiting.startDownload(REPO, QUANT)
  t.is(quantOf(await done, QUANT).status, 'downloaded')
  t.true(cdnBytes(hub) <= SIZE + 3 * SLACK)
  t.is(await waiting.digest(REPO, PATH), DIGEST)
})
