import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { ModelCache } from '@tabagent/model-cache'
import test, { type ExecutionContext } from 'ava'
import { randomBytes } from '../support/content.js'
import { makeFolder } from '../support/folder.js'
import { startHub } from '../support/hub.js'
import * as old from './old-store.js'

const FOLDER = '__test__/upgrade'

/** Every store that a version has left here, one for each format there was. */
const ARCHIVES = (await readdir(FOLDER)).filter((name) => name.endsWith('.tar.gz'))

async function unpacked(t: ExecutionContext, archive: string): Promise<string> {
  const folder = await makeFolder(t)
  await old.unpack(join(FOLDER, archive), folder)
  return join(folder, 'store')
}

async function open(t: ExecutionContext, path: string, endpoint = old.ENDPOINT): Promise<ModelCache> {
  const cache = await ModelCache.open({ path, endpoint, offline: endpoint === old.ENDPOINT })
  t.teardown(() => cache.close())
  return cache
}

function assertOldFiles(t: ExecutionContext, cache: ModelCache): void {
  const bytes = (repo: string, path: string) => cache.getFile(repo, path, { verify: true })?.buffer
  for (const path of ['config.json', 'tokenizer.json', old.Q8] as const)
    t.true(bytes(old.OTHER_NAME, path)?.equals(Buffer.from(old.FILES[path])), path)
  for (const [path, content] of Object.entries(old.IMPORTED_FILES))
    t.true(bytes(old.IMPORTED, path)?.equals(Buffer.from(content)), path)
}

test('there is a store of the first format', (t) => {
  t.true(ARCHIVES.includes('format-1.tar.gz'))
})

for (const archive of ARCHIVES) {
  test(`${archive}: all that an earlier version stored is there, and intact`, async (t) => {
    const path = await unpacked(t, archive)
    const reader = await ModelCache.open({ path, endpoint: old.ENDPOINT, offline: true, readOnly: true })
    // It has no tables that came later.
    const known = reader.getManifest(old.REPO)
    t.deepEqual(await reader.scanRepo(old.REPO, { headers: true }), known && { ...known, stale: true })
    await reader.close()
    const cache = await open(t, path)
    assertOldFiles(t, cache)
    const manifest = cache.getManifest(old.OTHER_NAME)
    t.is(manifest?.repo, old.REPO)
    t.is(manifest?.quants['q8']?.status, 'downloaded')
    t.like(manifest?.quants['q4'], { status: 'failed', error: { code: 'ERR_INTEGRITY' } })
    t.like(cache.getManifest(old.IMPORTED), { repo: old.IMPORTED, stale: true })
    const { partialBytes } = cache.stats()
    t.true(partialBytes > 0 && partialBytes < old.PARTIAL_SIZE, `${partialBytes}`)
    t.like(await cache.verify(), { files: 5, damaged: [], missing: [], records: [], orphans: 0 })
  })

  test(`${archive}: an earlier version's store is gone on with`, async (t) => {
    const path = await unpacked(t, archive)
    const { hub } = await startHub(t, { 'acme/new': { 'new.gguf': { size: 100_000, seed: 'new' } } })
    const cache = await open(t, path, hub.url)
    await cache.downloadFile('acme/new', 'new.gguf')
    const before = await open(t, path)
    assertOldFiles(t, before)
    await before.removeFile(old.REPO, 'tokenizer.json')
    t.false(before.hasFile(old.REPO, 'tokenizer.json'))
    await before.prune({ partialAge: 0 })
    t.is(before.stats().partialBytes, 0)
    await before.removeRepo(old.IMPORTED)
    t.true(
      cache.getFile('acme/new', 'new.gguf', { verify: true })?.buffer.equals(randomBytes(100_000, 'new')),
    )
    t.like(await cache.verify(), { damaged: [], missing: [], records: [], orphans: 0 })
  })
}
