import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import test, { type ExecutionContext } from 'ava'
import { randomBytes } from '../support/content.js'
import { makeFolder } from '../support/folder.js'
import { writeFiles } from '../support/repository.js'
import { openStore, REPO } from '../support/store.js'

const SIZE = 200_000
const PATH = 'onnx/model_quantized.onnx'

const OLD = {
  'config.json': '{"version":1}',
  'tokenizer.json': '{"same":true}',
  [PATH]: { size: SIZE, seed: 'old' },
}
const NEW = {
  'config.json': '{"version":2}',
  'tokenizer.json': '{"same":true}',
  [PATH]: { size: SIZE, seed: 'new' },
}

/** A scanned repository whose `main` then moves when `move` is called. */
async function openMoving(t: ExecutionContext) {
  const { cache, hub, path } = await openStore(t, OLD)
  const folder = join(await makeFolder(t), 'moved')
  await writeFiles(folder, NEW)
  const { commit } = await cache.scanRepo(REPO)
  const read = async () => ({
    version: (await cache.getFile(REPO, 'config.json')?.json())?.version,
    weights: ['old', 'new'].find((seed) => cache.getFile(REPO, PATH)?.buffer.equals(randomBytes(SIZE, seed))),
  })
  return { cache, hub, path, commit, read, move: () => hub.setRevision(REPO, 'main', folder) }
}

test('a branch that moves after the scan changes nothing: the files of the scanned commit come', async (t) => {
  const { cache, hub, commit, move, read } = await openMoving(t)
  move()
  const manifest = await cache.downloadQuant(REPO, 'q8')
  t.is(manifest.commit, commit)
  t.deepEqual(await read(), { version: 1, weights: 'old' })
  const resolved = hub.log.filter({ origin: 'api', path: /\/resolve\// })
  t.true(resolved.length > 0)
  t.true(resolved.every(({ path }) => path.includes(`/resolve/${commit}/`)))
})

test('a new scan sees the new commit, and what the old one stored is served until the new one is complete', async (t) => {
  const { cache, commit, move, read } = await openMoving(t)
  await cache.downloadQuant(REPO, 'q8')
  move()
  const moved = await cache.scanRepo(REPO)
  t.not(moved.commit, commit)
  t.is(moved.quants['q8']?.status, 'available')
  t.deepEqual(await read(), { version: 1, weights: 'old' })
  await cache.downloadFile(REPO, 'config.json')
  t.deepEqual(await read(), { version: 1, weights: 'old' }, 'never files of two commits together')
  await cache.downloadQuant(REPO, 'q8')
  t.deepEqual(await read(), { version: 2, weights: 'new' })
  t.is(cache.getManifest(REPO)?.commit, moved.commit)
})

test('the commit a branch has left stays readable by its id', async (t) => {
  const { cache, commit, move } = await openMoving(t)
  await cache.downloadQuant(REPO, 'q8')
  move()
  await cache.scanRepo(REPO)
  await cache.downloadQuant(REPO, 'q8')
  const old = cache.getFile(REPO, PATH, { revision: commit })
  t.is(old?.commit, commit)
  t.true(old?.buffer.equals(randomBytes(SIZE, 'old')))
  t.is(cache.getManifest(REPO, { revision: commit })?.quants['q8']?.status, 'downloaded')
})

test('weights that two commits share are fetched once', async (t) => {
  const { cache, hub } = await openStore(t, OLD)
  await cache.scanRepo(REPO)
  await cache.downloadQuant(REPO, 'q8')
  const folder = join(await makeFolder(t), 'moved')
  await writeFiles(folder, OLD)
  await writeFile(join(folder, 'config.json'), '{"version":3}')
  hub.setRevision(REPO, 'main', folder)
  await cache.scanRepo(REPO)
  hub.log.clear()
  const { quants } = await cache.downloadQuant(REPO, 'q8')
  t.is(quants['q8']?.status, 'downloaded')
  t.is(hub.log.filter({ origin: 'cdn' }).length, 0)
  t.is(await cache.getFile(REPO, 'config.json')?.text(), '{"version":3}')
  t.is(cache.getFile(REPO, PATH)?.commit, cache.getManifest(REPO)?.commit)
})
