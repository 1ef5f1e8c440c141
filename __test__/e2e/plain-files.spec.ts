import { readdir, readFile, stat } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import { ModelCache, type Progress } from '@tabagent/model-cache'
import test, { type ExecutionContext } from 'ava'
import { randomBytes } from '../support/content.js'
import { mountDisk } from '../support/disk.js'
import { fillStore, openStore, REPO } from '../support/store.js'
import { CacheProcess } from './cache-process.js'
import { MIB } from './half-way.js'

const SIZE = 9 * MIB + 5
const MODEL = 'model-Q8_0.gguf'
const PARTS = ['Q4/big-Q4_0-00001-of-00002.gguf', 'Q4/big-Q4_0-00002-of-00002.gguf']

/** A store with a GGUF model in one file, one in two parts, and a projector for both. */
function fill(t: ExecutionContext, options = {}) {
  const files = [MODEL, ...PARTS, 'mmproj-F16.gguf'].map(
    (path) => [path, { size: SIZE, seed: path }] as const,
  )
  return fillStore(t, Object.fromEntries(files), options)
}

/** All plain files of a store. */
async function plainFiles(store: string): Promise<string[]> {
  const entries = await readdir(join(store, 'plain'), { recursive: true, withFileTypes: true }).catch(
    () => [],
  )
  return entries.filter((entry) => entry.isFile()).map(({ name }) => name)
}

const isThere = (path: string) =>
  stat(path).then(
    () => true,
    () => false,
  )

test('all callers share one plain file, which goes with the last of them', async (t) => {
  const { cache, path } = await fill(t)
  const seen: Progress[] = []
  const first = await cache.materialize(REPO, MODEL, { onProgress: (progress) => seen.push(progress) })
  t.is(basename(first.path), MODEL)
  t.true((await readFile(first.path)).equals(randomBytes(SIZE, MODEL)))
  t.is((await stat(first.path)).mode & 0o777, 0o444)
  t.like(seen.at(-1), { repo: REPO, loaded: SIZE, total: SIZE })
  t.is(seen.filter(({ loaded }) => loaded === SIZE).length, 1)
  const [{ method } = { method: '' }] = first.files
  t.deepEqual(first.files, [{ path: MODEL, file: first.path, size: SIZE, method }])
  t.is(first.copied, method === 'copy' ? SIZE : 0)
  t.like(cache.stats(), { plainFiles: 1, plainBytes: SIZE })

  const second = await cache.materialize(REPO, MODEL)
  t.like(second, { path: first.path, copied: 0 })
  t.is(second.files[0]?.method, 'shared')
  await first.close()
  await first.close()
  t.true(await isThere(second.path))
  // A handle outlives the cache, as views do.
  await cache.close()
  t.true((await readFile(second.path)).equals(randomBytes(SIZE, MODEL)))
  await second.close()
  t.deepEqual(await plainFiles(path), [])
})

test('the parts of a model lie in one folder, and the engine is given the first', async (t) => {
  const { cache } = await fill(t)
  for (const asked of ['Q4_0', 'q4_0', ...PARTS]) {
    await using plain = await cache.materialize(REPO, asked)
    t.is(plain.path, join(plain.folder, PARTS[0] ?? ''), asked)
    const expected = asked.includes('/') ? PARTS : [...PARTS, 'mmproj-F16.gguf']
    t.deepEqual(plain.files.map((file) => file.path).sort(), expected, asked)
    for (const { path, file } of plain.files) {
      t.is(file, join(plain.folder, path))
      t.true((await readFile(file)).equals(randomBytes(SIZE, path)), file)
    }
  }
})

test('a quant and one of its files are one copy', async (t) => {
  const { cache } = await fill(t)
  await using quant = await cache.materialize(REPO, 'Q8_0')
  await using file = await cache.materialize(REPO, MODEL)
  t.not(quant.path, file.path)
  t.is((await stat(quant.path)).ino, (await stat(file.path)).ino)
  t.is(file.copied, 0)
})

test('processes that ask at once make one copy, and each holds it', async (t) => {
  const { cache, hub, path } = await fill(t)
  const others = await Promise.all([1, 2].map(() => CacheProcess.open(t, { path, endpoint: hub.url })))
  const [mine, ...theirs] = await Promise.all([
    cache.materialize(REPO, MODEL),
    ...others.map((other) => other.materialize(REPO, MODEL)),
  ])
  t.true(theirs.every((files) => files.path === mine.path))
  const methods = [mine.files[0]?.method, ...theirs.map(({ method }) => method)]
  t.is(methods.filter((method) => method !== 'shared').length, 1, methods.join())
  await mine.close()
  await others[0]?.child.kill()
  t.true((await readFile(mine.path)).equals(randomBytes(SIZE, MODEL)), 'one process is left that holds it')
  await others[1]?.letGo()
  t.deepEqual(await plainFiles(path), [], 'a killed process holds nothing')
})

test('what a process leaves that is killed goes when the store is opened, and with prune', async (t) => {
  const { cache, hub, path } = await fill(t)
  const kill = async () => {
    const other = await CacheProcess.open(t, { path, endpoint: hub.url })
    const { path: file } = await other.materialize(REPO, MODEL)
    await other.child.kill()
    t.true(await isThere(file))
  }
  await kill()
  t.like(await cache.prune({ dryRun: true }), { plainFiles: 1, plainBytes: SIZE })
  t.like(await cache.prune(), { plainFiles: 1, plainBytes: SIZE })
  t.deepEqual(await plainFiles(path), [])
  await kill()
  const again = await ModelCache.open({ path, endpoint: hub.url })
  t.deepEqual(await plainFiles(path), [])
  await again.close()
})

test('a process that ends lets go of what it did not close', async (t) => {
  const { hub, path, cache } = await fill(t)
  await cache.close()
  const other = await CacheProcess.open(t, { path, endpoint: hub.url })
  const { path: file } = await other.materialize(REPO, MODEL)
  await other.call('close')
  t.true(await isThere(file))
  t.deepEqual(await other.child.end(), { code: 0, signal: null })
  t.deepEqual(await plainFiles(path), [])
})

test('what is kept stays for other programs until its bytes are removed, or it is asked for', async (t) => {
  const { cache, path } = await fill(t)
  const keep = async () => {
    const files = await cache.materialize(REPO, MODEL, { keep: true })
    await files.close()
    return files.path
  }
  const file = await keep()
  t.like(await cache.prune(), { plainFiles: 0 })
  t.true((await readFile(file)).equals(randomBytes(SIZE, MODEL)))
  t.is(await keep(), file)
  t.like(await cache.prune({ plainFiles: true, dryRun: true }), { plainFiles: 1, plainBytes: SIZE })
  t.true(await isThere(file))
  t.like(await cache.prune({ plainFiles: true }), { plainFiles: 1, plainBytes: SIZE })
  t.deepEqual(await plainFiles(path), [])
  await keep()
  await cache.removeFile(REPO, MODEL)
  t.deepEqual(await plainFiles(path), [])
})

test('who holds plain files keeps them when the stored file is removed', async (t) => {
  const { cache, path } = await fill(t)
  const files = await cache.materialize(REPO, MODEL, { keep: true })
  await cache.removeFile(REPO, MODEL)
  t.true((await readFile(files.path)).equals(randomBytes(SIZE, MODEL)))
  await files.close()
  t.deepEqual(await plainFiles(path), [], 'it was kept only as long as its bytes are stored')
})

test('a call that is aborted leaves nothing', async (t) => {
  const { cache, path } = await fillStore(t, { 'model.gguf': { size: 120 * MIB, seed: 'large' } })
  const controller = new AbortController()
  const reason = new Error('mine')
  const call = cache.materialize(REPO, 'model.gguf', { signal: controller.signal })
  controller.abort(reason)
  t.is(await t.throwsAsync(call), reason)
  // Waits for what still runs.
  await cache.close()
  const reopened = await ModelCache.open({ path })
  t.deepEqual(await plainFiles(path), [])
  await reopened.close()
})

test('what cannot be materialized says why', async (t) => {
  const { cache, path, hub } = await openStore(t, {
    [MODEL]: { size: SIZE, seed: MODEL },
    'model-Q4_0.gguf': { size: SIZE },
  })
  await cache.downloadFile(REPO, MODEL)
  const missing = { code: 'ERR_FILE_NOT_FOUND', message: /download it first/ }
  await t.throwsAsync(cache.materialize(REPO, 'model-Q4_0.gguf'), missing)
  await t.throwsAsync(cache.materialize(REPO, 'Q4_0'), missing)
  await t.throwsAsync(cache.materialize(REPO, 'no/such'), { code: 'ERR_FILE_NOT_FOUND' })
  await t.throwsAsync(cache.materialize(REPO, 'Q3'), { code: 'ERR_QUANT_NOT_FOUND', message: /Q8_0/ })
  await t.throwsAsync(cache.materialize('acme/none', 'Q8_0'), { code: 'ERR_REPO_NOT_FOUND' })
  await t.throwsAsync(cache.materialize(REPO, ''), { code: 'ERR_INVALID_ARGUMENT', message: /pathOrQuant/ })
  const misspelt = { keeep: true } as object
  await t.throwsAsync(cache.materialize(REPO, MODEL, misspelt), {
    code: 'ERR_INVALID_ARGUMENT',
    message: /"keeep".*"keep"/,
  })
  t.deepEqual(await plainFiles(path), [])
  await cache.close()
  await t.throwsAsync(cache.materialize(REPO, MODEL), { code: 'ERR_CLOSED' })
  const reader = await ModelCache.open({ path, endpoint: hub.url, readOnly: true })
  t.teardown(() => reader.close())
  await t.throwsAsync(reader.materialize(REPO, MODEL), { code: 'ERR_READ_ONLY' })
})

for (const kind of ['xfs', 'btrfs'] as const) {
  test(`on ${kind} a plain file shares the blocks of the store`, async (t) => {
    const disk = await mountDisk(t, kind, 1024)
    if (disk === undefined) {
      t.pass()
      return
    }
    const { cache } = await fill(t, { path: join(disk, 'store') })
    const files = await cache.materialize(REPO, MODEL)
    t.is(files.copied, 0)
    t.is(files.files[0]?.method, 'reflink')
    t.is(dirname(files.path), files.folder)
    t.true((await readFile(files.path)).equals(randomBytes(SIZE, MODEL)))
    await files.close()
    await cache.close()
  })
}
