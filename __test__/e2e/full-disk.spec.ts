import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import { ModelCache, type ModelCacheError } from '@tabagent/model-cache'
import test, { type ExecutionContext } from 'ava'
import { randomBytes } from '../support/content.js'
import { fillDisk, mountDisk } from '../support/disk.js'
import { startHub } from '../support/hub.js'
import type { Files } from '../support/repository.js'
import { REPO } from '../support/store.js'
import { cdnBytes, gate, MIB, quantOf } from './half-way.js'

const QUANT = 'Q4_K_M'
/** More files than a call has under way at once: the last ones begin when others are complete. */
const SHARDS = 20
const AT_ONCE = 16
const SIZE = 3 * MIB

const shard = (n: number, of: number) => {
  const part = (value: number) => String(value).padStart(5, '0')
  return `m-${QUANT}-${part(n)}-of-${part(of)}.gguf`
}

function shards(count: number, content: (path: string) => Files[string]): Files {
  const paths = Array.from({ length: count }, (_, n) => shard(n + 1, count))
  return Object.fromEntries(paths.map((path) => [path, content(path)]))
}

/** A cache on a small disk of its own. The test says so where there cannot be one. */
async function openSmall(t: ExecutionContext, megabytes: number, files: Files) {
  const disk = await mountDisk(t, 'ext4', megabytes)
  if (disk === undefined) return undefined
  const { hub } = await startHub(t, { [REPO]: files })
  // The Hub is held while the disk is filled, which takes as long as it takes.
  const stallTimeout = 3_600_000
  const options = { path: join(disk, 'store'), endpoint: hub.url, connections: AT_ONCE, stallTimeout }
  const cache = await ModelCache.open(options)
  t.teardown(() => cache.close())
  return { disk, hub, cache }
}

test('a quant larger than the disk is refused before its first byte', async (t) => {
  const size = 300 * MIB
  const world = await openSmall(
    t,
    768,
    shards(2, (seed) => ({ size, seed, sparse: true })),
  )
  if (!world) {
    t.pass()
    return
  }
  const { cache, hub } = world
  const error = await t.throwsAsync<ModelCacheError>(cache.downloadQuant(REPO, QUANT), {
    code: 'ERR_NO_SPACE',
  })
  t.true((error?.needed ?? 0) >= 2 * size && (error?.available ?? 0) < 2 * size + 256 * MIB, error?.message)
  t.true((error?.needed ?? 0) > (error?.available ?? 0), error?.message)
  t.is(cdnBytes(hub), 0)
  t.like(quantOf(cache.getManifest(REPO), QUANT), { status: 'failed', downloaded: 0 })
})

test('a disk that is full in the middle: what is complete stays, and the same call goes on when there is room', async (t) => {
  const world = await openSmall(
    t,
    1024,
    shards(SHARDS, (seed) => ({ size: SIZE, seed })),
  )
  if (!world) {
    t.pass()
    return
  }
  const { cache, disk, hub } = world
  const released = gate()
  hub.fault = ({ origin }) => (origin === 'cdn' ? { hold: released.opened } : undefined)
  const call = cache.downloadQuant(REPO, QUANT).then(
    () => undefined,
    (error: ModelCacheError) => error,
  )
  // Each file has its room before it asks for its bytes.
  await hub.log.waitFor((log) => log.filter({ origin: 'cdn' }).length === AT_ONCE)
  const filler = await fillDisk(disk)
  released.open()
  const error = await call
  t.is(error?.code, 'ERR_NO_SPACE', error?.message)
  t.true((error?.needed ?? 0) > (error?.available ?? Infinity), error?.message)
  const { downloaded, files } = quantOf(cache.getManifest(REPO), QUANT)
  const complete = files.filter(({ stored }) => stored)
  t.log(`${complete.length} of ${SHARDS} files, ${downloaded} bytes`)
  t.true(complete.length > 0 && complete.length < SHARDS)
  for (const { path } of complete) t.true(holds(cache, path), path)
  await rm(filler)
  hub.fault = undefined
  hub.log.clear()
  await cache.downloadQuant(REPO, QUANT)
  t.is(cdnBytes(hub), SHARDS * SIZE - downloaded)
  for (const { path } of files) t.true(holds(cache, path), path)
})

function holds(cache: ModelCache, path: string): boolean {
  using file = cache.getFile(REPO, path)
  return file?.buffer.equals(randomBytes(SIZE, path)) ?? false
}
