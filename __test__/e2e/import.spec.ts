import { mkdir, open, rm, statfs, symlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { ModelCache, type Progress } from '@tabagent/model-cache'
import test, { type ExecutionContext } from 'ava'
import { randomBytes } from '../support/content.js'
import { mountDisk } from '../support/disk.js'
import { makeFolder } from '../support/folder.js'
import { COMMIT, damage, FILES, Q8, SIZE, writeHfCache } from '../support/hf-cache.js'
import { expectRequests } from '../support/hub.js'
import { openStore, REPO } from '../support/store.js'
import { CacheProcess } from './cache-process.js'
import { holdAt, MIB, quantOf, recorded } from './half-way.js'

/** A cache over an empty store, and an empty folder to import from. The hub serves nothing that is imported. */
async function openEmpty(t: ExecutionContext) {
  const store = await openStore(t, {})
  return { ...store, folder: await makeFolder(t) }
}

/** What a file system has left when everything written is on it. */
async function freeBytes(disk: string): Promise<number> {
  const folder = await open(disk)
  await folder.sync()
  await folder.close()
  const { bavail, bsize } = await statfs(disk)
  return bavail * bsize
}

test('an import needs no network, and what it took is found by branch, tag and commit', async (t) => {
  const { cache, hub, folder } = await openEmpty(t)
  await writeHfCache(folder, 'acme/other', COMMIT, FILES, { revisions: ['main', 'v1', 'refs/pr/3'] })
  const seen: Progress[] = []
  const report = await cache.importHfCache(folder, { onProgress: (p) => seen.push(p) })
  t.deepEqual(report.skipped, [])
  t.deepEqual(report.imported.map(({ path }) => path).sort(), Object.keys(FILES).sort())
  t.true(report.imported.every(({ repo, commit }) => repo === 'acme/other' && commit === COMMIT))
  const total = report.imported.reduce((sum, { size }) => sum + size, 0)
  t.is(report.bytes, total)
  t.like(seen.at(-1), { loaded: total, total })
  t.is(seen.filter(({ loaded }) => loaded === total).length, 1)
  for (const revision of ['main', 'v1', 'refs/pr/3', COMMIT]) {
    const manifest = cache.getManifest('Acme/Other', { revision })
    t.like(manifest, { repo: 'acme/other', commit: COMMIT, stale: true })
    t.is(quantOf(manifest, 'q8').status, 'downloaded')
    t.true(cache.hasFile('acme/other', 'config.json', { revision }))
    t.is(cache.listFiles('acme/other', { revision }).length, 3)
    t.true(cache.getFile('acme/other', Q8, { revision, verify: true })?.buffer.equals(randomBytes(SIZE, Q8)))
  }
  t.deepEqual(await cache.getFile('acme/other', 'config.json')?.json(), { model_type: 'bert' })
  t.is(cache.listManifests().length, 3)
  expectRequests(t, hub, { api: 0, cdn: 0 })
})

test('an import again takes what is new only', async (t) => {
  const { cache, folder } = await openEmpty(t)
  const { [Q8]: _, ...small } = FILES
  await writeHfCache(folder, 'acme/other', COMMIT, small)
  t.is((await cache.importHfCache(folder)).imported.length, 2)
  t.deepEqual(cache.getManifest('acme/other')?.quants, {})
  await writeHfCache(folder, 'acme/other', COMMIT, { [Q8]: FILES[Q8] as object as { size: number } })
  const { imported, skipped } = await cache.importHfCache(folder)
  t.deepEqual(
    imported.map(({ path }) => path),
    [Q8],
  )
  t.true(skipped.length === 2 && skipped.every(({ why }) => why.includes('stored already')))
  t.is(quantOf(cache.getManifest('acme/other'), 'q8').status, 'downloaded')
  t.is(cache.listFiles('acme/other').length, 3)
})

test('wrong bytes are skipped, and nothing of them stays', async (t) => {
  const { cache, folder } = await openEmpty(t)
  const held = () => cache.stats().diskBytes - cache.stats().reusable
  const before = held()
  const written = await writeHfCache(folder, 'acme/other', COMMIT, FILES)
  for (const path of ['config.json', Q8]) await damage(join(written.snapshot, path))
  const { imported, skipped } = await cache.importHfCache(folder)
  t.deepEqual(
    imported.map(({ path }) => path),
    ['tokenizer.json'],
  )
  t.deepEqual(
    skipped.map(({ path }) => path).sort(),
    ['config.json', Q8].map((path) => `models--acme--other/snapshots/${COMMIT}/${path}`),
  )
  for (const { why } of skipped) t.regex(why, /bytes have the digest [0-9a-f]+, not [0-9a-f]+$/)
  t.is(cache.getFile('acme/other', Q8), undefined)
  t.deepEqual(
    cache.listFiles('acme/other').map(({ path }) => path),
    ['tokenizer.json'],
  )
  t.deepEqual(cache.getManifest('acme/other')?.quants, {})
  t.like(cache.stats(), { blobs: 1, partialBytes: 0, files: 1 })
  t.true(held() - before < MIB, `${held() - before} bytes of the disk are kept for them`)
  await rm(join(written.snapshot, 'tokenizer.json'))
  await cache.removeRepo('acme/other')
  t.is((await cache.importHfCache(folder)).imported.length, 0)
  t.is(cache.getManifest('acme/other'), undefined, 'a commit without files is not known')
  t.deepEqual(cache.listManifests(), [])
})

test('what is no file of a model of this folder is skipped, and says why', async (t) => {
  const { cache, folder } = await openEmpty(t)
  const outside = join(await makeFolder(t), 'secret')
  await writeFile(outside, 'not yours')
  const { folder: repo, snapshot, digests } = await writeHfCache(folder, 'acme/other', COMMIT, FILES)
  await symlink(outside, join(snapshot, 'outside.json'))
  await symlink('../../blobs/none', join(snapshot, 'broken.json'))
  await symlink('../../blobs', join(snapshot, 'folder'))
  await writeFile(join(snapshot, 'a\\b'), 'x')
  await writeFile(join(repo, 'blobs', `${'f'.repeat(64)}.incomplete`), 'x')
  await writeFile(join(repo, 'refs', 'broken'), 'no commit')
  await mkdir(join(repo, 'snapshots', 'latest'))
  for (const name of ['datasets--a--b', 'spaces--a--b', 'models--a--b--c', '.locks'])
    await mkdir(join(folder, name))
  const { imported, skipped } = await cache.importHfCache(folder)
  t.is(imported.length, 3)
  const in_ = `models--acme--other/snapshots/${COMMIT}`
  const why = Object.fromEntries(skipped.map((file) => [file.path, file.why]))
  t.deepEqual(why, {
    [`${in_}/outside.json`]: 'its link leads out of the folder',
    [`${in_}/broken.json`]: 'its link leads to nothing',
    [`${in_}/folder`]: 'it is no file',
    [`${in_}/a/b`]: 'its path is none that a repository may have',
    [`models--acme--other/blobs/${'f'.repeat(64)}.incomplete`]: 'it is a download that was not finished',
    'models--acme--other/refs/broken': 'it is no revision with a commit',
    'models--acme--other/snapshots/latest': 'its name is not a commit',
    'models--a--b--c': 'its name is not that of a repository',
    'datasets--a--b': 'it is no model',
    'spaces--a--b': 'it is no model',
  })
  t.is(cache.listFiles('acme/other').length, Object.keys(digests).length)
})

test('bytes that are stored already are not stored again', async (t) => {
  const { cache, folder } = await openEmpty(t)
  await writeHfCache(folder, 'acme/one', COMMIT, FILES)
  await cache.importHfCache(folder, { repo: 'acme/one' })
  const { blobs, bytes } = cache.stats()
  await writeHfCache(folder, 'acme/two', COMMIT, FILES)
  t.is((await cache.importHfCache(folder, { repo: 'Acme/Two' })).imported.length, 3)
  t.like(cache.stats(), { blobs, bytes, files: 6, repos: 2 })
  await cache.removeRepo('acme/one')
  t.true(cache.getFile('acme/two', Q8)?.buffer.equals(randomBytes(SIZE, Q8)))
})

test('an aborted import is gone on with', async (t) => {
  const { cache, folder } = await openEmpty(t)
  await writeHfCache(folder, 'acme/other', COMMIT, { ...FILES, 'a.bin': { size: 60 * MIB, seed: 'a' } })
  const controller = new AbortController()
  const reason = new Error('mine')
  const call = cache.importHfCache(folder, {
    signal: controller.signal,
    onProgress: () => controller.abort(reason),
  })
  t.is(await t.throwsAsync(call), reason)
  const { imported, skipped } = await cache.importHfCache(folder)
  t.is(imported.length + skipped.length, 4)
  t.is(cache.listFiles('acme/other').length, 4)
  t.true(cache.getFile('acme/other', 'a.bin', { verify: true })?.buffer.equals(randomBytes(60 * MIB, 'a')))
})

test('wrong bytes cost an interrupted download nothing, and right ones complete it', async (t) => {
  const weights = { [Q8]: { size: 40 * MIB, seed: Q8 } }
  const { cache, hub } = await openStore(t, weights)
  const { commit } = await cache.scanRepo(REPO)
  const controller = new AbortController()
  const gate = holdAt(hub, 20 * MIB)
  const download = cache.downloadQuant(REPO, 'q8', { signal: controller.signal })
  await recorded(cache, REPO, 'q8', 8 * MIB)
  controller.abort(new Error('enough'))
  await t.throwsAsync(download, { message: 'enough' })
  gate.open()
  const folder = await makeFolder(t)
  const { snapshot } = await writeHfCache(folder, REPO, commit, weights)
  await damage(join(snapshot, Q8))
  t.is((await cache.importHfCache(folder)).skipped.length, 1)
  t.true(quantOf(cache.getManifest(REPO), 'q8').downloaded >= 8 * MIB)
  await rm(folder, { recursive: true })
  await writeHfCache(folder, REPO, commit, weights)
  t.is((await cache.importHfCache(folder)).imported.length, 1)
  t.is(quantOf(cache.getManifest(REPO), 'q8').status, 'downloaded')
  t.true(cache.getFile(REPO, Q8, { verify: true })?.buffer.equals(randomBytes(40 * MIB, Q8)))
})

test('two processes that import the same folder at once both have it all, once', async (t) => {
  const { cache, folder, path, hub } = await openEmpty(t)
  const files = { ...FILES, 'a.bin': { size: 30 * MIB, seed: 'a' }, 'b.bin': { size: 20 * MIB, seed: 'b' } }
  await writeHfCache(folder, 'acme/other', COMMIT, files)
  const other = await CacheProcess.open(t, { path, endpoint: hub.url })
  const reports = await Promise.all([cache.importHfCache(folder), other.call('importHfCache', folder)])
  const imported = reports.flatMap((report) => report.imported.map((file) => file.path))
  t.deepEqual(imported.sort(), Object.keys(files).sort(), 'each file was imported by one of them')
  for (const { imported, skipped } of reports) t.is(imported.length + skipped.length, 5)
  t.is(cache.listFiles('acme/other').length, 5)
  t.like(cache.stats(), { blobs: 5, partialBytes: 0 })
})

test('what cannot be imported says so', async (t) => {
  const { cache, folder, path, hub } = await openEmpty(t)
  await writeHfCache(folder, 'acme/other', COMMIT, FILES)
  const none = join(folder, 'none')
  const unusable = { code: 'ERR_INVALID_ARGUMENT', message: /none cannot be read as a folder/ }
  await t.throwsAsync(cache.importHfCache(none), unusable)
  await t.throwsAsync(cache.importHfCache(folder, { repo: 'acme/none' }), { code: 'ERR_REPO_NOT_FOUND' })
  await cache.close()
  const reader = await ModelCache.open({ path, endpoint: hub.url, readOnly: true })
  t.teardown(() => reader.close())
  await t.throwsAsync(reader.importHfCache(folder), { code: 'ERR_READ_ONLY' })
})

for (const kind of ['xfs', 'btrfs'] as const) {
  test(`on ${kind} an import shares the blocks of the folder, and each side stays what it is`, async (t) => {
    const disk = await mountDisk(t, kind, 1280)
    if (disk === undefined) {
      t.pass()
      return
    }
    const { cache } = await openStore(t, {}, { path: join(disk, 'store') })
    const folder = join(disk, 'hub')
    const size = 200 * MIB + 77
    const large = { 'model.gguf': { size, seed: 'large' } }
    const { snapshot } = await writeHfCache(folder, 'acme/other', COMMIT, large)
    const before = await freeBytes(disk)
    await cache.importHfCache(folder)
    const after = await freeBytes(disk)
    // btrfs keeps the room that the store had taken for the file for as long as anything else lies in it.
    if (kind === 'xfs') t.true(before - after < 100 * MIB, `${before} bytes free before, ${after} after`)
    await damage(join(snapshot, 'model.gguf'))
    const stored = cache.getFile('acme/other', 'model.gguf', { verify: true })
    t.true(stored?.buffer.equals(randomBytes(size, 'large')))
    await cache.close()
  })
}

test('the size limit holds for imports too', async (t) => {
  const { hub } = await openStore(t, {})
  const path = join(await makeFolder(t), 'store')
  const cache = await ModelCache.open({ path, endpoint: hub.url, maxSize: SIZE })
  t.teardown(() => cache.close())
  const folder = await makeFolder(t)
  await writeHfCache(folder, 'acme/other', COMMIT, FILES)
  await t.throwsAsync(cache.importHfCache(folder), { code: 'ERR_NO_SPACE' })
  t.deepEqual(cache.listManifests(), [])
})
