import { join } from 'node:path'
import { ModelCache } from '@tabagent/model-cache'
import test from 'ava'
import { makeFolder } from '../support/folder.js'
import { COMMIT, damage, FILES, Q8, SIZE, writeHfCache } from '../support/hf-cache.js'
import { expectRequests } from '../support/hub.js'
import { onnxFiles } from '../support/repository.js'
import { openStore, REPO } from '../support/store.js'
import { quantOf } from './half-way.js'

test('a scan replaces what an import knew of a commit, and nothing is fetched again', async (t) => {
  const { cache, hub } = await openStore(t, onnxFiles(SIZE))
  const { commit } = await cache.scanRepo(REPO)
  await cache.removeRepo(REPO)
  const folder = await makeFolder(t)
  await writeHfCache(folder, REPO, commit, FILES)
  await cache.importHfCache(folder)
  t.deepEqual(Object.keys(cache.getManifest(REPO)?.quants ?? {}), ['q8'])
  hub.log.clear()
  const manifest = await cache.scanRepo(REPO, { revision: commit })
  t.true(hub.log.filter({ origin: 'api' }).length > 0, 'the endpoint was asked')
  t.false(manifest.stale)
  t.deepEqual(Object.keys(manifest.quants).sort(), ['fp16', 'fp32', 'q4', 'q8'])
  t.is(cache.getManifest(REPO)?.stale, false, 'also by the branch')
  t.true(cache.hasFile(REPO, 'config.json') && cache.hasFile(REPO, Q8))
  const q8 = quantOf(await cache.downloadQuant(REPO, 'q8'), 'q8')
  t.is(q8.status, 'downloaded')
  const fetched = hub.log.filter({ path: /\/resolve\// }).map(({ path }) => path)
  t.true(
    fetched.length > 0 && fetched.every((path) => path.endsWith('tokenizer_config.json')),
    fetched.join(),
  )
})

test('a download asks the endpoint for what an import does not have; offline it has what it has', async (t) => {
  const { cache, hub, path } = await openStore(t, onnxFiles(SIZE))
  const { commit } = await cache.scanRepo(REPO)
  await cache.removeRepo(REPO)
  const folder = await makeFolder(t)
  await writeHfCache(folder, REPO, commit, FILES)
  await cache.importHfCache(folder)
  const offline = await ModelCache.open({ path, endpoint: hub.url, offline: true })
  t.teardown(() => offline.close())
  t.true((await offline.scanRepo(REPO)).stale)
  t.is(quantOf(await offline.downloadQuant(REPO, 'q8'), 'q8').status, 'downloaded')
  await t.throwsAsync(offline.downloadQuant(REPO, 'q4'), { code: 'ERR_QUANT_NOT_FOUND' })
  t.is(quantOf(await cache.downloadQuant(REPO, 'q4'), 'q4').status, 'downloaded')
  t.is(quantOf(cache.getManifest(REPO), 'q8').downloaded > SIZE, true)
})

test('a scanned commit keeps its listing: only its own files are taken', async (t) => {
  const { cache, hub } = await openStore(t, onnxFiles(SIZE))
  const { commit } = await cache.scanRepo(REPO)
  hub.log.clear()
  const folder = await makeFolder(t)
  const mixed = { ...FILES, 'config.json': '{"model_type":"other"}\n', 'extra.json': '{}' }
  await writeHfCache(folder, REPO.toUpperCase(), commit, mixed)
  const { imported, skipped } = await cache.importHfCache(folder)
  t.deepEqual(
    imported.map(({ path, repo }) => [repo, path]),
    [
      [REPO, 'tokenizer.json'],
      [REPO, Q8],
    ],
  )
  t.deepEqual(
    skipped.map(({ why }) => why),
    ['the listing of the commit names other bytes', 'the commit has no such file'],
  )
  t.like(cache.getManifest(REPO), { stale: false, commit })
  t.false(cache.hasFile(REPO, 'config.json'))
  expectRequests(t, hub, { api: 0, cdn: 0 })
})

test('an old commit of a folder does not take the place of the scanned one', async (t) => {
  const { cache } = await openStore(t, onnxFiles(SIZE))
  const { commit } = await cache.scanRepo(REPO)
  const folder = await makeFolder(t)
  await writeHfCache(folder, REPO, COMMIT, { 'config.json': '{"old":true}' })
  await cache.importHfCache(folder)
  t.is(cache.getManifest(REPO)?.commit, commit)
  t.is(cache.getManifest(REPO, { revision: COMMIT })?.commit, COMMIT)
  t.deepEqual(await cache.getFile(REPO, 'config.json', { revision: COMMIT })?.json(), { old: true })
})

test('files that are no links are known by their bytes until a scan tells what they must be', async (t) => {
  const { cache } = await openStore(t, onnxFiles(SIZE))
  const { commit } = await cache.scanRepo(REPO)
  await cache.removeRepo(REPO)
  const folder = await makeFolder(t)
  const { snapshot } = await writeHfCache(folder, REPO, commit, FILES, { links: false })
  await damage(join(snapshot, 'tokenizer.json'))
  const { imported } = await cache.importHfCache(folder)
  t.is(imported.length, 3, 'nothing says that one is wrong')
  t.true(imported.every(({ digest }) => digest.algorithm === 'sha256'))
  await cache.scanRepo(REPO)
  t.true(cache.hasFile(REPO, 'config.json') && cache.hasFile(REPO, Q8))
  t.is(cache.getFile(REPO, 'config.json')?.digest.algorithm, 'git-sha1')
  t.false(cache.hasFile(REPO, 'tokenizer.json'), 'the scan says what it must be')
  t.is(cache.stats().blobs, 2)
})

test('files that are no links are checked where the folder has kept the listing', async (t) => {
  const { cache } = await openStore(t, {})
  const folder = await makeFolder(t)
  const { snapshot } = await writeHfCache(folder, REPO, COMMIT, FILES, { links: false, tree: true })
  await damage(join(snapshot, 'tokenizer.json'))
  const { imported, skipped } = await cache.importHfCache(folder)
  t.deepEqual(
    imported.map(({ path, digest }) => [path, digest.algorithm]),
    [
      ['config.json', 'git-sha1'],
      [Q8, 'sha256'],
    ],
  )
  t.true(skipped.length === 1 && skipped[0]?.path.endsWith('tokenizer.json'))
})

test('parts without their others are no quant', async (t) => {
  const { cache } = await openStore(t, {})
  const folder = await makeFolder(t)
  const part = (n: number, of: number, name: string) => `${name}-0000${n}-of-0000${of}.gguf`
  await writeHfCache(folder, 'acme/parts', COMMIT, {
    [part(1, 2, 'tiny-Q4_K_M')]: { size: SIZE, seed: 'a' },
    [part(2, 2, 'tiny-Q4_K_M')]: { size: SIZE, seed: 'b' },
    [part(2, 3, 'tiny-Q8_0')]: { size: SIZE, seed: 'c' },
  })
  t.is((await cache.importHfCache(folder)).imported.length, 3)
  t.deepEqual(Object.keys(cache.getManifest('acme/parts')?.quants ?? {}), ['Q4_K_M'])
})
