import test from 'ava'
import { randomBytes } from '../support/content.js'
import { startHub } from '../support/hub.js'
import { ggufFiles, onnxFiles } from '../support/repository.js'
import { openStore, REPO } from '../support/store.js'
import { CacheProcess } from './cache-process.js'
import { cdnBytes, holdAt, MIB, quantOf, recorded } from './half-way.js'

const SIZE = 8 * MIB
const Q8 = 'onnx/model_quantized.onnx'
const Q4 = 'onnx/model_q4.onnx'

test('removeFile takes the file and its bytes, and its quants are no longer complete', async (t) => {
  const { cache } = await openStore(t, onnxFiles(SIZE))
  await cache.downloadQuant(REPO, 'q8')
  const before = cache.stats()
  const report = await cache.removeFile(REPO, Q8)
  t.like(report, { files: 1, blobs: 1, kept: [] })
  t.false(cache.hasFile(REPO, Q8))
  t.is(cache.getFile(REPO, Q8), undefined)
  t.false(cache.listFiles(REPO).some(({ path }) => path === Q8))
  const q8 = quantOf(cache.getManifest(REPO), 'q8')
  t.like(q8, { status: 'available', downloaded: q8.size - SIZE })
  const after = cache.stats()
  t.is(after.files, before.files - 1)
  t.is(after.bytes, before.bytes - SIZE)
})

test('removal gives the disk its bytes back', async (t) => {
  const { cache } = await openStore(t, onnxFiles(SIZE))
  const empty = cache.stats().diskBytes
  await cache.downloadQuant(REPO, 'q8')
  const full = cache.stats().diskBytes
  t.true(full >= empty + SIZE, `${empty} ${full}`)
  const { freed } = await cache.removeQuant(REPO, 'q8')
  const { diskBytes } = cache.stats()
  t.true(freed >= SIZE - MIB, `freed ${freed}`)
  t.true(diskBytes <= full - SIZE + MIB, `${full} before, ${diskBytes} after`)
})

test('removeQuant keeps what another stored quant needs, and says why', async (t) => {
  const { cache } = await openStore(t, onnxFiles(SIZE))
  await cache.downloadQuant(REPO, 'q8')
  await cache.downloadQuant(REPO, 'q4')
  const shared = quantOf(cache.getManifest(REPO), 'q8')
    .files.map(({ path }) => path)
    .filter((path) => path !== Q8)
  const report = await cache.removeQuant(REPO, 'Q8')
  t.like(report, { files: 1, blobs: 1 })
  t.deepEqual(report.kept.map(({ path }) => path).sort(), shared.sort())
  t.true(report.kept.every(({ why }) => why.includes('q4')))
  t.is(quantOf(cache.getManifest(REPO), 'q4').status, 'downloaded')
  t.true(cache.getFile(REPO, Q4)?.buffer.equals(randomBytes(SIZE, Q4)))
  t.is(quantOf(cache.getManifest(REPO), 'q8').status, 'available')
  const rest = await cache.removeQuant(REPO, 'q4')
  t.like(rest, { files: 1 + shared.length, kept: [] })
  t.deepEqual(cache.listFiles(REPO), [])
})

test('removeRepo forgets everything', async (t) => {
  const { hub } = await startHub(t, {
    [REPO]: onnxFiles(SIZE),
    'acme/other': { 'other.gguf': { size: SIZE } },
  })
  const { cache } = await openStore(t, {}, { endpoint: hub.url })
  await cache.downloadQuant(REPO, 'q8')
  await cache.downloadFile('acme/other', 'other.gguf')
  const report = await cache.removeRepo(REPO)
  t.deepEqual(report.kept, [])
  t.is(cache.getManifest(REPO), undefined)
  t.false(cache.hasFile(REPO, Q8))
  t.deepEqual(
    cache.listManifests().map(({ repo }) => repo),
    ['acme/other'],
  )
  t.like(cache.stats(), { repos: 1, files: 1, blobs: 1, bytes: SIZE, partialBytes: 0 })
  t.true(cache.getFile('acme/other', 'other.gguf')?.buffer.equals(randomBytes(SIZE)))
})

test('what was removed can be downloaded again', async (t) => {
  const { cache, hub } = await openStore(t, onnxFiles(SIZE))
  await cache.downloadQuant(REPO, 'q8')
  await cache.removeQuant(REPO, 'q8')
  hub.log.clear()
  t.is(quantOf(await cache.downloadQuant(REPO, 'q8'), 'q8').status, 'downloaded')
  t.true(cdnBytes(hub) >= SIZE)
  t.true(cache.getFile(REPO, Q8)?.buffer.equals(randomBytes(SIZE, Q8)))
})

test('bytes that another repository has too stay until it is removed', async (t) => {
  const files = ggufFiles('m', ['Q4_K_M'], SIZE)
  const { hub } = await startHub(t, { [REPO]: files, 'acme/copy': files })
  const { cache } = await openStore(t, {}, { endpoint: hub.url })
  for (const repo of [REPO, 'acme/copy']) await cache.downloadQuant(repo, 'Q4_K_M')
  t.like(await cache.removeRepo(REPO), { files: 1, blobs: 0 })
  t.true(cache.getFile('acme/copy', 'm-Q4_K_M.gguf')?.buffer.equals(randomBytes(SIZE, 'm-Q4_K_M.gguf')))
  t.like(await cache.removeRepo('acme/copy'), { files: 1, blobs: 1 })
  t.is(cache.stats().blobs, 0)
})

test('a quant that some process downloads cannot be removed, and its download goes on', async (t) => {
  const { cache, hub, path } = await openStore(t, onnxFiles(SIZE))
  await cache.scanRepo(REPO)
  const held = holdAt(hub, 0)
  const other = await CacheProcess.open(t, { path, endpoint: hub.url })
  const { done } = await other.startDownload(REPO, 'q8')
  await hub.log.waitFor((log) => log.filter({ origin: 'cdn' }).length > 0)
  const inUse = { code: 'ERR_IN_USE', message: /acme\/model.*downloading it; stop that download/ }
  await t.throwsAsync(cache.removeQuant(REPO, 'q8'), inUse)
  await t.throwsAsync(cache.removeRepo(REPO), inUse)
  await t.throwsAsync(other.call('removeQuant', REPO, 'q8'), { code: 'ERR_IN_USE' })
  held.open()
  t.is(quantOf(await done, 'q8').status, 'downloaded')
  t.is((await cache.removeQuant(REPO, 'q8')).kept.length, 0)
})

test('removing one quant leaves the shared files to another that is being downloaded', async (t) => {
  const { cache, hub, path } = await openStore(t, onnxFiles(SIZE))
  await cache.downloadQuant(REPO, 'q8')
  hub.log.clear()
  const held = holdAt(hub, 0)
  const other = await CacheProcess.open(t, { path, endpoint: hub.url })
  const { done } = await other.startDownload(REPO, 'q4')
  await hub.log.waitFor((log) => log.filter({ origin: 'cdn' }).length > 0)
  const { files, kept } = await cache.removeQuant(REPO, 'q8')
  t.is(files, 1)
  t.true(kept.length > 0 && kept.every(({ why }) => why.includes('q4')))
  held.open()
  t.is(quantOf(await done, 'q4').status, 'downloaded')
})

test('removal takes what an interrupted download left', async (t) => {
  const { cache, hub, path } = await openStore(t, onnxFiles(SIZE))
  await cache.scanRepo(REPO)
  holdAt(hub, 4 * MIB)
  const other = await CacheProcess.open(t, { path, endpoint: hub.url })
  await other.startDownload(REPO, 'q8')
  await recorded(cache, REPO, 'q8', 4 * MIB)
  await other.child.kill()
  t.true(cache.stats().partialBytes >= 4 * MIB)
  await cache.removeQuant(REPO, 'q8')
  t.is(quantOf(cache.getManifest(REPO), 'q8').downloaded, 0)
  t.is(cache.stats().partialBytes, 0)
})

test('views of a removed file stay right, and their bytes go when they end', async (t) => {
  const { cache } = await openStore(t, onnxFiles(SIZE))
  await cache.downloadQuant(REPO, 'q8')
  const file = cache.getFile(REPO, Q8)
  await cache.removeRepo(REPO)
  t.true(file?.buffer.equals(randomBytes(SIZE, Q8)))
  file?.close()
  await cache.downloadQuant(REPO, 'q4')
  const { diskBytes } = cache.stats()
  await cache.removeQuant(REPO, 'q4')
  t.true(cache.stats().diskBytes < diskBytes)
  t.like(cache.stats(), { files: 0, blobs: 0, bytes: 0 })
})
