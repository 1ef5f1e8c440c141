import { createHash } from 'node:crypto'
import { mkdir, symlink } from 'node:fs/promises'
import { join } from 'node:path'
import { ModelCache } from '@tabagent/model-cache'
import test from 'ava'
import { randomBytes } from '../support/content.js'
import { makeFolder } from '../support/folder.js'
import { startHub } from '../support/hub.js'
import { openStore, openStored, REPO } from '../support/store.js'
import { CacheProcess } from './cache-process.js'
import { cdnBytes, MIB, ONE_BODY, quantOf } from './half-way.js'

const NAMES = [
  'a file with spaces.gguf',
  '100% #1 [x]? & more+.gguf',
  'größe/模型-Q4_K_M.gguf',
  `${'deep/'.repeat(40)}model.gguf`,
  `${'n'.repeat(200)}.gguf`,
  "it's.gguf",
  '.hidden/.env',
]

test('files of any name are found, fetched, listed and removed', async (t) => {
  const { cache } = await openStore(t, Object.fromEntries(NAMES.map((path) => [path, `bytes of ${path}`])))
  await cache.scanRepo(REPO)
  for (const path of NAMES) {
    t.is(await (await cache.fetchFile(REPO, path)).text(), `bytes of ${path}`, path)
  }
  t.deepEqual(
    cache
      .listFiles(REPO)
      .map(({ path }) => path)
      .sort(),
    [...NAMES].sort(),
  )
  for (const path of NAMES) t.is((await cache.removeFile(REPO, path)).files, 1, path)
  t.deepEqual(cache.listFiles(REPO), [])
})

test('a quant with two files of the same bytes fetches them once and is complete', async (t) => {
  const shard = { size: ONE_BODY, seed: 'same' }
  const { cache, hub } = await openStore(t, {
    'model-00001-of-00002.safetensors': shard,
    'model-00002-of-00002.safetensors': shard,
    'model.safetensors.index.json': '{}',
  })
  const [name = ''] = Object.keys((await cache.scanRepo(REPO)).quants)
  const reports: number[] = []
  const manifest = await cache.downloadQuant(REPO, name, { onProgress: ({ loaded }) => reports.push(loaded) })
  const quant = quantOf(manifest, name)
  t.like(quant, { status: 'downloaded', downloaded: quant.size })
  t.is(cdnBytes(hub), ONE_BODY)
  t.is(reports.at(-1), quant.size)
  t.is(cache.stats().blobs, 2)
  await cache.removeFile(REPO, 'model-00001-of-00002.safetensors')
  t.true(openStored(cache, 'model-00002-of-00002.safetensors').buffer.equals(randomBytes(ONE_BODY, 'same')))
})

test('empty files, in LFS and in git, are stored and read', async (t) => {
  const { cache } = await openStore(t, { 'empty.gguf': '', 'empty.txt': '', '.gitattributes': '' })
  for (const path of ['empty.gguf', 'empty.txt', '.gitattributes']) {
    const file = await cache.fetchFile(REPO, path)
    t.is(file.buffer.length, 0, path)
    t.true(cache.hasFile(REPO, path), path)
  }
  t.like(cache.stats(), { files: 3, bytes: 0 })
})

test('git files of every size are checked by their git digest and stored', async (t) => {
  const sizes = [1, 64 * 1024 - 1, 64 * 1024, 16 * MIB, 16 * MIB + 1]
  const files = Object.fromEntries(sizes.map((size) => [`${size}.txt`, { size, seed: String(size) }]))
  const { hub } = await startHub(t, { [REPO]: { files, settings: { git: Object.keys(files) } } })
  const { cache, path } = await openStore(t, {}, { endpoint: hub.url })
  const reader = await CacheProcess.open(t, { path, endpoint: hub.url })
  for (const size of sizes) {
    const file = await cache.fetchFile(REPO, `${size}.txt`)
    const bytes = randomBytes(size, String(size))
    t.is(file.digest.algorithm, 'git-sha1')
    t.true(file.buffer.equals(bytes), `${size}`)
    const sha256 = createHash('sha256').update(bytes).digest('hex')
    t.is(await reader.digest(REPO, `${size}.txt`), sha256, `${size}`)
  }
  t.is(cache.stats().partialBytes, 0)
})

test('a repository without files has no quants', async (t) => {
  const { cache } = await openStore(t, {})
  const manifest = await cache.scanRepo(REPO)
  t.deepEqual([manifest.quants, manifest.sharedFiles], [{}, []])
  await t.throwsAsync(cache.downloadQuant(REPO, 'q8'), { code: 'ERR_QUANT_NOT_FOUND', message: /none/ })
})

test('a store is the same one by whichever path it is opened', async (t) => {
  const { cache, hub, path } = await openStore(t, { 'model.gguf': { size: ONE_BODY, seed: 'w' } })
  await cache.downloadFile(REPO, 'model.gguf')
  const elsewhere = join(await makeFolder(t), 'Ünïcode with spaces')
  await mkdir(elsewhere)
  await symlink(path, join(elsewhere, 'link'))
  const linked = await ModelCache.open({ path: join(elsewhere, 'link', '.'), endpoint: hub.url })
  t.teardown(() => linked.close())
  t.is(openStored(linked, 'model.gguf').buffer, openStored(cache, 'model.gguf').buffer)
  const child = await CacheProcess.open(t, { path: join(elsewhere, 'link'), endpoint: hub.url })
  t.true(await child.call('hasFile', REPO, 'model.gguf'))
  const odd = await ModelCache.open({ path: join(elsewhere, 'größe 模型'), endpoint: hub.url })
  t.teardown(() => odd.close())
  t.true((await odd.downloadFile(REPO, 'model.gguf')).stored)
})
