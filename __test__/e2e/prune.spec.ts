import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { ModelCache, type PruneReport } from '@tabagent/model-cache'
import test from 'ava'
import { randomBytes } from '../support/content.js'
import { onnxFiles } from '../support/repository.js'
import { collect, openStore, REPO } from '../support/store.js'
import { CacheProcess } from './cache-process.js'
import { cdnBytes, holdAt, MIB, quantOf, recorded, until } from './half-way.js'

const SIZE = 9 * MIB
const Q8 = 'onnx/model_quantized.onnx'

type Context = Parameters<typeof openStore>[0]

/** What a prune reports that found nothing to do. */
const NOTHING = { files: 0, blobs: 0, kept: [], orphans: 0, partials: 0, quants: [], dryRun: false }

/** Names of the quants that are stored whole, sorted. */
function stored(cache: ModelCache): string[] {
  const quants = Object.values(cache.getManifest(REPO)?.quants ?? {})
  return quants.flatMap(({ name, status }) => (status === 'downloaded' ? [name] : [])).sort()
}

/** A store with q8 in it, and 4 MiB of q4 that another process has downloaded and still holds. */
async function openHalf(t: Context) {
  const store = await openStore(t, onnxFiles(SIZE))
  await store.cache.downloadQuant(REPO, 'q8')
  const held = holdAt(store.hub, 4 * MIB)
  const other = await CacheProcess.open(t, { path: store.path, endpoint: store.hub.url })
  const { done } = await other.startDownload(REPO, 'q4')
  await recorded(store.cache, REPO, 'q4', 4 * MIB)
  const rest = () => quantOf(store.cache.getManifest(REPO), 'q4').files.filter(({ stored }) => !stored)
  await until(() => rest().length === 1)
  return { ...store, held, other, done, locks: () => readdir(join(store.path, 'locks')) }
}

/** What a dry run tells, with what the real one does: the same, but for the exact bytes. */
function expectForeseen(t: Context, dry: PruneReport, real: PruneReport): void {
  const counted = ({ freed, reusable, dryRun, ...rest }: PruneReport) => rest
  t.deepEqual(counted(dry), counted(real))
  t.deepEqual([dry.dryRun, real.dryRun], [true, false])
  t.true(real.freed >= dry.freed - MIB, `${real.freed} freed, ${dry.freed} foreseen`)
}

test('a store that everybody needs stays as it is', async (t) => {
  const { cache } = await openStore(t, onnxFiles(SIZE))
  for (const quant of ['q8', 'q4']) await cache.downloadQuant(REPO, quant)
  const before = cache.stats()
  t.like(await cache.prune(), NOTHING)
  t.like(await cache.prune({ dryRun: true }), { ...NOTHING, dryRun: true, freed: 0 })
  const { files, blobs, bytes, quants } = before
  t.like(cache.stats(), { files, blobs, bytes, quants })
  t.like(await cache.verify(), { damaged: [], missing: [], orphans: 0 })
})

test('what a killed process left goes, its download can go on within a week', async (t) => {
  const { cache, hub, held, other, locks } = await openHalf(t)
  await other.child.kill()
  const dry = await cache.prune({ dryRun: true })
  const before = await locks()
  t.like(dry, { ...NOTHING, orphans: 2, dryRun: true })
  t.is((await cache.verify()).orphans, 2)
  t.deepEqual(await locks(), before, 'a dry run changes nothing')
  expectForeseen(t, dry, await cache.prune())
  t.is((await cache.verify()).orphans, 0)
  t.is(quantOf(cache.getManifest(REPO), 'q4').downloaded >= 4 * MIB, true)
  held.open()
  hub.log.clear()
  await cache.downloadQuant(REPO, 'q4')
  t.true(cdnBytes(hub) <= SIZE - 4 * MIB + MIB, `${cdnBytes(hub)} bytes were sent`)
  t.like(await cache.prune(), NOTHING)
})

test('a partial download that is old enough goes, and its space comes back', async (t) => {
  const { cache, held, other } = await openHalf(t)
  await other.child.kill()
  const dry = await cache.prune({ dryRun: true, partialAge: 0 })
  t.true(cache.stats().partialBytes >= 4 * MIB)
  const real = await cache.prune({ partialAge: 0 })
  t.like(real, { ...NOTHING, orphans: 2, partials: 1 })
  expectForeseen(t, dry, real)
  t.true(real.freed >= SIZE - MIB)
  t.is(cache.stats().partialBytes, 0)
  held.open()
  await cache.downloadQuant(REPO, 'q4')
  t.deepEqual(stored(cache), ['q4', 'q8'])
})

test('a download whose process is stopped keeps all it has, however old', async (t) => {
  const { cache, held, other, done, locks } = await openHalf(t)
  // Once this has written, the other process is not within a transaction: stopped there, it would stop all who write.
  await cache.scanRepo(REPO)
  other.child.pause()
  const before = await locks()
  t.like(await cache.prune({ partialAge: 0, maxSize: 0 }), { partials: 0, orphans: 0 })
  t.deepEqual(await locks(), before)
  t.true(cache.stats().partialBytes >= 4 * MIB)
  held.open()
  other.child.resume()
  t.is(quantOf(await done, 'q4').status, 'downloaded')
  t.true(cache.getFile(REPO, 'onnx/model_q4.onnx', { verify: true })?.buffer.length === SIZE)
})

test('least recently used quants go down to maxSize, the first used first', async (t) => {
  const { cache } = await openStore(t, onnxFiles(SIZE))
  for (const quant of ['q8', 'fp32', 'q4', 'fp16']) await cache.downloadQuant(REPO, quant)
  const dry = await cache.prune({ dryRun: true, maxSize: 2.5 * SIZE })
  t.is(stored(cache).length, 4)
  const real = await cache.prune({ maxSize: 2.5 * SIZE })
  t.like(real, {
    ...NOTHING,
    files: 2,
    blobs: 2,
    quants: [
      { repo: REPO, quant: 'q8' },
      { repo: REPO, quant: 'fp32' },
    ],
  })
  expectForeseen(t, dry, real)
  t.true(real.freed >= 2 * SIZE - MIB)
  t.deepEqual(stored(cache), ['fp16', 'q4'])
  t.true(cache.hasFile(REPO, 'tokenizer.json'), 'a file that other quants need stays')
  t.like(await cache.prune({ maxSize: 2.5 * SIZE }), NOTHING)
})

test('a quant to keep and one with an open file stay, whatever maxSize says', async (t) => {
  const { cache } = await openStore(t, onnxFiles(SIZE))
  await cache.downloadQuant(REPO, 'q8')
  await cache.downloadQuant(REPO, 'fp32', { keep: true })
  await cache.downloadQuant(REPO, 'q4')
  const open = cache.getFile(REPO, Q8)
  t.deepEqual((await cache.prune({ maxSize: 0 })).quants, [{ repo: REPO, quant: 'q4' }])
  t.deepEqual(stored(cache), ['fp32', 'q8'])
  t.true(open?.buffer.equals(randomBytes(SIZE, Q8)))
  open?.close()
  t.true(await collect(() => cache.stats().views === 0))
  t.deepEqual((await cache.prune({ maxSize: 0 })).quants, [{ repo: REPO, quant: 'q8' }])
  t.deepEqual(stored(cache), ['fp32'])
})

test('the size limit of the cache is the default', async (t) => {
  const { cache, hub, path } = await openStore(t, onnxFiles(SIZE))
  for (const quant of ['q8', 'q4']) await cache.downloadQuant(REPO, quant)
  const limited = await ModelCache.open({ path, endpoint: hub.url, maxSize: 1.5 * SIZE })
  t.teardown(() => limited.close())
  t.deepEqual((await limited.prune()).quants, [{ repo: REPO, quant: 'q8' }])
})

test('space that a view kept when its file was removed comes back with a later prune', async (t) => {
  const { cache, hub, path } = await openStore(t, onnxFiles(SIZE))
  await cache.downloadQuant(REPO, 'q8')
  const other = await CacheProcess.open(t, { path, endpoint: hub.url })
  await other.hold(REPO, Q8)
  t.true((await cache.removeQuant(REPO, 'q8')).freed < MIB)
  t.true((await cache.prune()).freed < MIB, 'the view is still open')
  await other.child.kill()
  const { freed } = await cache.prune()
  t.true(freed >= SIZE - MIB, `freed ${freed}`)
})

test('a read-only cache only tells, and options are checked', async (t) => {
  const { cache, hub, path } = await openStore(t, onnxFiles(SIZE))
  await cache.downloadQuant(REPO, 'q8')
  const reader = await ModelCache.open({ path, endpoint: hub.url, readOnly: true })
  t.teardown(() => reader.close())
  t.like(await reader.prune({ dryRun: true, maxSize: 0 }), { quants: [{ repo: REPO, quant: 'q8' }] })
  await t.throwsAsync(reader.prune(), { code: 'ERR_READ_ONLY' })
  t.deepEqual(stored(cache), ['q8'])
  await t.throwsAsync(cache.prune({ maxSize: -1 }), { code: 'ERR_INVALID_ARGUMENT', message: /maxSize/ })
  await t.throwsAsync(cache.prune({ dryrun: true } as never), { message: /did you mean "dryRun"/ })
})
