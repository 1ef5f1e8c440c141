import { createHash } from 'node:crypto'
import type { ModelCache, Progress } from '@tabagent/model-cache'
import test, { type ExecutionContext } from 'ava'
import type { LocalHub } from '../../local-hub/index.js'
import { randomBytes } from '../support/content.js'
import { ggufFiles } from '../support/repository.js'
import { openStore, REPO } from '../support/store.js'
import { CacheProcess } from './cache-process.js'
import { cdnBytes, gate, holdAt, MIB, quantOf, recorded, SLACK, until } from './half-way.js'

const SIZE = 64 * MIB
const HALF = SIZE / 2
const QUANT = 'Q4_K_M'
const PATH = 'm-Q4_K_M.gguf'
const FILES = ggufFiles('m', [QUANT, 'Q8_0'], SIZE)
const DIGEST = createHash('sha256').update(randomBytes(SIZE, PATH)).digest('hex')

/** Continues the download and expects that it fetches only what is missing, and that the bytes are right. */
async function expectResume(t: ExecutionContext, hub: LocalHub, cache: ModelCache): Promise<void> {
  const { downloaded } = quantOf(cache.getManifest(REPO), QUANT)
  hub.fault = undefined
  hub.log.clear()
  const seen: Progress[] = []
  const manifest = await cache.downloadQuant(REPO, QUANT, { onProgress: (progress) => seen.push(progress) })
  t.like(quantOf(manifest, QUANT), { status: 'downloaded', downloaded: SIZE })
  t.true(cdnBytes(hub) <= SIZE - downloaded + SLACK, `${cdnBytes(hub)} bytes, ${downloaded} were there`)
  t.true(seen.every(({ resumedFrom }) => resumedFrom === downloaded))
  t.is(
    createHash('sha256')
      .update(cache.getFile(REPO, PATH)?.buffer ?? '')
      .digest('hex'),
    DIGEST,
  )
}

/** Downloads up to the half, then aborts. */
async function abortAtHalf(cache: ModelCache, hub: LocalHub): Promise<void> {
  holdAt(hub, HALF)
  const half = gate()
  const controller = new AbortController()
  const onProgress = ({ loaded }: Progress) => loaded >= HALF && half.open()
  const call = cache.downloadQuant(REPO, QUANT, { signal: controller.signal, onProgress })
  await half.opened
  controller.abort(new Error('enough'))
  await call.catch(() => {})
}

test('an aborted download goes on in the same process', async (t) => {
  const { cache, hub } = await openStore(t, FILES)
  await abortAtHalf(cache, hub)
  await until(() => quantOf(cache.getManifest(REPO), QUANT).status === 'available')
  t.is(await recorded(cache, REPO, QUANT, HALF), HALF)
  await expectResume(t, hub, cache)
})

test('an aborted download goes on at once, before what came is recorded', async (t) => {
  const { cache, hub } = await openStore(t, FILES)
  await abortAtHalf(cache, hub)
  hub.fault = undefined
  t.is(quantOf(await cache.downloadQuant(REPO, QUANT), QUANT).status, 'downloaded')
  t.true(cdnBytes(hub) <= SIZE + SLACK)
  t.is(
    createHash('sha256')
      .update(cache.getFile(REPO, PATH)?.buffer ?? '')
      .digest('hex'),
    DIGEST,
  )
})

test('an aborted download goes on in a new process', async (t) => {
  const { cache, hub, path } = await openStore(t, FILES)
  await abortAtHalf(cache, hub)
  await cache.close()
  const other = await CacheProcess.open(t, { path, endpoint: hub.url })
  t.like(quantOf(await other.call('getManifest', REPO), QUANT), { status: 'available', downloaded: HALF })
  hub.fault = undefined
  hub.log.clear()
  await other.call('downloadQuant', REPO, QUANT)
  t.true(cdnBytes(hub) <= HALF + SLACK)
  t.is(await other.digest(REPO, PATH), DIGEST)
})

test('a killed process: the next one fetches what is missing, and the statuses are true all the time', async (t) => {
  const { cache, hub, path } = await openStore(t, FILES)
  await cache.scanRepo(REPO)
  const status = () => quantOf(cache.getManifest(REPO), QUANT).status
  holdAt(hub, HALF)
  t.is(status(), 'available')
  const child = await CacheProcess.open(t, { path, endpoint: hub.url })
  await child.startDownload(REPO, QUANT)
  await child.loaded(HALF)
  await recorded(cache, REPO, QUANT, HALF)
  t.is(status(), 'downloading')
  await child.child.kill()
  t.like(quantOf(cache.getManifest(REPO), QUANT), { status: 'available', downloaded: HALF })
  t.is(quantOf(cache.getManifest(REPO), 'Q8_0').downloaded, 0)
  await expectResume(t, hub, cache)
  t.is(status(), 'downloaded')
})

test('killed before anything was recorded: what is complete stays, and the download begins where it knows', async (t) => {
  const { cache, hub, path } = await openStore(t, FILES)
  await cache.downloadQuant(REPO, 'Q8_0')
  const child = await CacheProcess.open(t, { path, endpoint: hub.url })
  holdAt(hub, MIB)
  await child.startDownload(REPO, QUANT)
  await hub.log.waitFor((log) =>
    log.filter({ origin: 'cdn', closed: false }).some(({ bytesSent }) => bytesSent > 0),
  )
  await child.child.kill()
  t.true(cache.getFile(REPO, 'm-Q8_0.gguf')?.buffer.equals(randomBytes(SIZE, 'm-Q8_0.gguf')))
  await expectResume(t, hub, cache)
})

test('killed again and again it still arrives, with the right bytes', async (t) => {
  const { cache, hub, path } = await openStore(t, FILES)
  await cache.scanRepo(REPO)
  for (const part of [1, 2, 3]) {
    holdAt(hub, (part * SIZE) / 4)
    const child = await CacheProcess.open(t, { path, endpoint: hub.url })
    await child.startDownload(REPO, QUANT)
    await recorded(cache, REPO, QUANT, (part * SIZE) / 4)
    await child.child.kill()
    t.is(quantOf(cache.getManifest(REPO), QUANT).status, 'available')
  }
  await expectResume(t, hub, cache)
  t.true(cache.stats().partialBytes === 0)
})

test('a stopped process still holds its download; when it goes on it ends well', async (t) => {
  const { cache, hub, path } = await openStore(t, FILES)
  await cache.scanRepo(REPO)
  const held = holdAt(hub, HALF)
  const child = await CacheProcess.open(t, { path, endpoint: hub.url })
  const { done } = await child.startDownload(REPO, QUANT)
  await child.loaded(HALF)
  child.child.pause()
  t.is(quantOf(cache.getManifest(REPO), QUANT).status, 'downloading')
  child.child.resume()
  held.open()
  t.is(quantOf(await done, QUANT).status, 'downloaded')
  t.is(await child.digest(REPO, PATH), DIGEST)
})
