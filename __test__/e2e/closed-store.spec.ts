import { readdir, readFile, readlink, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { ModelCache } from '@tabagent/model-cache'
import test from 'ava'
import { randomBytes } from '../support/content.js'
import { onnxFiles } from '../support/repository.js'
import { collect, fillStore, openStore, REPO } from '../support/store.js'

const SIZE = 300_000
const PATH = 'onnx/model_quantized.onnx'

/** Files of the store that this process has open or mapped. */
async function inUse(path: string): Promise<string[]> {
  const maps = (await readFile('/proc/self/maps', 'utf8')).split('\n').filter((line) => line.includes(path))
  const descriptors = await readdir('/proc/self/fd')
  const targets = await Promise.all(
    descriptors.map((name) => readlink(`/proc/self/fd/${name}`).catch(() => '')),
  )
  return [...maps, ...targets.filter((target) => target.includes(path))]
}

const onLinux = process.platform === 'linux' ? test : test.skip

onLinux('a closed cache without views has nothing of the store open', async (t) => {
  const { cache, path } = await openStore(t, onnxFiles(SIZE))
  await cache.downloadQuant(REPO, 'q8')
  t.true((await inUse(path)).length > 0)
  await cache.close()
  t.deepEqual(await inUse(path), [])
})

test('a store whose folder was deleted after close is made anew', async (t) => {
  const { cache, hub, path } = await openStore(t, onnxFiles(SIZE))
  await cache.downloadQuant(REPO, 'q8')
  await cache.close()
  await rm(path, { recursive: true })
  const again = await ModelCache.open({ path, endpoint: hub.url })
  t.teardown(() => again.close())
  t.false(again.hasFile(REPO, PATH))
  await again.downloadQuant(REPO, 'q8')
  t.deepEqual((await readdir(path)).sort(), ['locks', 'model_cache_chunks', 'model_cache_manifests'])
  t.true((await readdir(join(path, 'model_cache_chunks'))).length > 0)
})

onLinux('views keep what they need of a closed store, and no longer than they need it', async (t) => {
  const { cache, path, open } = await fillStore(t, { [PATH]: { size: SIZE, seed: 'w' } })
  const file = open(PATH)
  const { buffer } = file
  await cache.close()
  t.true(buffer.equals(randomBytes(SIZE, 'w')))
  t.true((await inUse(path)).length > 0)
  file.close()
  t.is(buffer.length, 0)
  // The last of it goes with what the garbage collector finds.
  await collect(() => false)
  t.deepEqual(await inUse(path), [])
})
