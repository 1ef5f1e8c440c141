import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import { ModelCache, type Progress } from '@tabagent/model-cache'
import test from 'ava'
import { randomBytes } from '../support/content.js'
import { damageFile, damageRecord } from '../support/damage.js'
import { startHub } from '../support/hub.js'
import { onnxFiles } from '../support/repository.js'
import { openStore, REPO } from '../support/store.js'
import { CacheProcess } from './cache-process.js'
import { holdAt, MIB, quantOf, recorded } from './half-way.js'

const SIZE = 9 * MIB + 1000
const Q8 = 'onnx/model_quantized.onnx'
const Q4 = 'onnx/model_q4.onnx'
const CONFIG = Buffer.from('{"model_type":"bert"}\n')

/** A store with two quants in it: two large files and the small ones. */
async function openTwo(t: Parameters<typeof openStore>[0]) {
  const store = await openStore(t, onnxFiles(SIZE))
  for (const quant of ['q8', 'q4']) await store.cache.downloadQuant(REPO, quant)
  const files = store.cache.listFiles(REPO)
  const bytes = files.reduce((sum, { size }) => sum + size, 0)
  const { commit } = await store.cache.scanRepo(REPO)
  return {
    ...store,
    intact: { files: files.length, bytes, damaged: [], missing: [], orphans: 0, records: [] },
    commit,
  }
}

test('an intact store is compared to the last byte, with progress', async (t) => {
  const { cache, intact } = await openTwo(t)
  const seen: Progress[] = []
  t.deepEqual(await cache.verify({ onProgress: (progress) => seen.push(progress) }), intact)
  t.like(seen.at(-1), { loaded: intact.bytes, total: intact.bytes, repo: REPO, resumedFrom: 0 })
  t.is(seen.filter(({ loaded, total }) => loaded === total).length, 1)
  t.true(seen.every(({ loaded }, n) => n === 0 || loaded >= (seen[n - 1]?.loaded ?? 0)))
})

test('one inverted byte is told by file, commit, offset and block, and the file is still served unchecked', async (t) => {
  const { cache, intact, commit } = await openTwo(t)
  await damageFile(cache, REPO, Q8, 5 * MIB)
  const damaged = [{ repo: REPO, commit, path: Q8, offset: 4 * MIB, length: 4 * MIB, repaired: false }]
  t.deepEqual(await cache.verify(), { ...intact, damaged })
  t.deepEqual(await cache.verify({ repo: REPO }), { ...intact, damaged })
  t.true(cache.hasFile(REPO, Q8))
  const file = cache.getFile(REPO, Q8)
  t.is(file?.buffer[5 * MIB], ~(randomBytes(SIZE, Q8)[5 * MIB] ?? 0) & 0xff)
  file?.close()
  t.true(cache.getFile(REPO, Q4, { verify: true })?.buffer.equals(randomBytes(SIZE, Q4)))
})

test('neighbouring damaged blocks are one range, the last one ends with the file', async (t) => {
  const { cache, intact, commit } = await openTwo(t)
  for (const at of [0, 4 * MIB, SIZE - 1]) await damageFile(cache, REPO, Q4, at)
  const { damaged } = await cache.verify()
  t.deepEqual(damaged, [{ repo: REPO, commit, path: Q4, offset: 0, length: SIZE, repaired: false }])
  t.is(intact.damaged.length, 0)
})

test('a damaged record of a small file is found', async (t) => {
  const { cache, path, intact, commit } = await openTwo(t)
  await damageRecord(path, CONFIG)
  const damaged = [
    { repo: REPO, commit, path: 'config.json', offset: 0, length: CONFIG.length, repaired: false },
  ]
  t.deepEqual(await cache.verify(), { ...intact, damaged })
  t.throws(() => cache.getFile(REPO, 'config.json', { verify: true })?.buffer, { code: 'ERR_CORRUPT' })
})

test('bytes that two repositories share are read once and told for both; a repository has only its own', async (t) => {
  const files = { 'a.gguf': { size: SIZE, seed: 'a' } }
  const { hub } = await startHub(t, { 'acme/one': files, 'acme/two': files, 'acme/three': { 'b.gguf': 'b' } })
  const { cache } = await openStore(t, {}, { endpoint: hub.url })
  for (const repo of ['acme/one', 'acme/two']) await cache.downloadFile(repo, 'a.gguf')
  await cache.downloadFile('acme/three', 'b.gguf')
  await damageFile(cache, 'acme/one', 'a.gguf', 1)
  const { files: checked, bytes, damaged } = await cache.verify()
  t.deepEqual({ checked, bytes }, { checked: 3, bytes: SIZE + 1 })
  t.deepEqual(damaged.map(({ repo }) => repo).sort(), ['acme/one', 'acme/two'])
  t.deepEqual(
    (await cache.verify({ repo: 'acme/two' })).damaged.map(({ repo }) => repo),
    ['acme/two'],
  )
  t.like(await cache.verify({ repo: 'acme/three' }), { files: 1, bytes: 1, damaged: [] })
})

test('files whose bytes are gone are missing, do not count as stored any more, and can be downloaded again', async (t) => {
  const { cache, hub, path, intact, commit } = await openTwo(t)
  await cache.close()
  await rm(join(path, 'model_cache_chunks'), { recursive: true })
  const reader = await ModelCache.open({ path, endpoint: hub.url })
  t.teardown(() => reader.close())
  t.throws(() => reader.getFile(REPO, Q8), { code: 'ERR_CORRUPT' })
  const report = await reader.verify()
  const missing = [Q4, Q8].map((lost) => ({ repo: REPO, commit, path: lost }))
  t.deepEqual(report, { ...intact, bytes: intact.bytes - 2 * SIZE, missing })
  t.false(reader.hasFile(REPO, Q8))
  t.is(reader.getFile(REPO, Q8), undefined)
  t.like(quantOf(reader.getManifest(REPO), 'q8'), { status: 'available' })
  t.is(reader.stats().quants, 0)
  t.true(reader.hasFile(REPO, 'config.json'))
  await reader.downloadQuant(REPO, 'q8')
  t.true(reader.getFile(REPO, Q8, { verify: true })?.buffer.equals(randomBytes(SIZE, Q8)))
  t.like(await reader.verify(), { damaged: [], missing: [], orphans: 0 })
})

test('a read-only cache tells what is missing and changes nothing', async (t) => {
  const { cache, hub, path } = await openTwo(t)
  await cache.close()
  await rm(join(path, 'model_cache_chunks'), { recursive: true })
  // A cache that may write makes the folder anew; nothing else.
  const writer = await ModelCache.open({ path, endpoint: hub.url })
  const reader = await ModelCache.open({ path, endpoint: hub.url, readOnly: true })
  for (let n = 0; n < 2; n += 1) t.is((await reader.verify()).missing.length, 2)
  t.true(reader.hasFile(REPO, Q8))
  for (const opened of [writer, reader]) await opened.close()
})

test('what killed processes left are orphans, a partial download is none', async (t) => {
  const { cache, hub, path, intact } = await openTwo(t)
  holdAt(hub, 4 * MIB)
  const other = await CacheProcess.open(t, { path, endpoint: hub.url })
  await other.startDownload(REPO, 'fp16')
  await recorded(cache, REPO, 'fp16', 4 * MIB)
  t.deepEqual(await cache.verify(), intact, 'the download is alive')
  await other.child.kill()
  // The lock files of the blob and of the quant.
  t.deepEqual(await cache.verify(), { ...intact, orphans: 2 })
  t.is((await cache.verify({ repo: REPO })).orphans, 0)
})

test('an abort ends the call with its reason, and a repository must be here', async (t) => {
  const { cache } = await openTwo(t)
  const controller = new AbortController()
  const running = cache.verify({ signal: controller.signal })
  controller.abort(new Error('enough'))
  await t.throwsAsync(running, { message: 'enough' })
  await t.throwsAsync(cache.verify({ signal: controller.signal }), { message: 'enough' })
  await t.throwsAsync(cache.verify({ repo: 'acme/other' }), { code: 'ERR_REPO_NOT_FOUND' })
  await t.throwsAsync(cache.verify({ repo: 'a/b/c' }), { code: 'ERR_INVALID_ARGUMENT' })
  await t.throwsAsync(cache.verify({ path: 'x' } as never), {
    code: 'ERR_INVALID_ARGUMENT',
    message: /unknown option "path"/,
  })
})
