import { ModelCache } from '@tabagent/model-cache'
import test, { type ExecutionContext } from 'ava'
import { randomBytes } from '../support/content.js'
import { damageChunkHeader, damageTable } from '../support/damage.js'
import { onnxFiles } from '../support/repository.js'
import { openStore, openStored, REPO } from '../support/store.js'
import { cdnBytes } from './half-way.js'

const SIZE = 300_000
const Q8 = 'onnx/model_quantized.onnx'
const INTACT = { files: 4, damaged: [], missing: [], records: [], orphans: 0 }

/** A store with a quant in it, every record of a table of which cannot be read. */
async function damagedStore(t: ExecutionContext, table: string) {
  const { cache, hub, path } = await openStore(t, onnxFiles(SIZE))
  await cache.downloadQuant('ACME/Model', 'q8')
  t.like(await cache.verify(), INTACT)
  await cache.close()
  t.true((await damageTable(path, table)) > 0)
  hub.log.clear()
  const damaged = await ModelCache.open({ path, endpoint: hub.url })
  t.teardown(() => damaged.close())
  return { cache: damaged, hub }
}

const isRight = (cache: ModelCache) =>
  cache.getFile(REPO, Q8, { verify: true })?.buffer.equals(randomBytes(SIZE, Q8)) ?? false

for (const table of ['blob', 'meta', 'use']) {
  test(`damaged records of the table ${table} are told, and made again without a byte of the network`, async (t) => {
    const { cache, hub } = await damagedStore(t, table)
    const { records } = await cache.verify()
    t.is(records.length, 4)
    for (const { key, why, repaired } of records) {
      t.true(key.startsWith(`${table}:`) && !repaired, key)
      t.regex(why, /schema 99 is unknown/)
    }
    t.true((await cache.verify({ repo: REPO })).records.length > 0 || table === 'blob')
    const { records: mended } = await cache.verify({ repair: true })
    t.deepEqual(
      mended.map(({ repaired }) => repaired),
      [true, true, true, true],
    )
    t.like(await cache.verify(), INTACT)
    t.true(isRight(cache))
    t.is(cache.getManifest(REPO)?.quants['q8']?.status, 'downloaded')
    t.is(hub.log.records.length, 0)
  })
}

for (const table of ['manifest', 'ref', 'quant', 'alias']) {
  test(`damaged records of the table ${table} are forgotten, and a scan brings back what they said`, async (t) => {
    const { cache, hub } = await damagedStore(t, table)
    t.true((await cache.verify()).records.length > 0)
    t.true((await cache.verify({ repair: true })).records.every(({ repaired }) => repaired))
    await cache.scanRepo(REPO)
    await cache.downloadQuant(REPO, 'q8')
    t.like(await cache.verify(), INTACT)
    t.true(isRight(cache))
    t.is(cache.getManifest(REPO)?.quants['q8']?.status, 'downloaded')
    t.is(cdnBytes(hub), 0)
  })
}

test('a file whose place is damaged is fetched anew by a repair, and stays as it is without a network', async (t) => {
  const { cache, hub, path } = await openStore(t, onnxFiles(SIZE))
  await cache.downloadQuant(REPO, 'q8')
  const file = openStored(cache, Q8)
  const [place] = file.extents()
  file.close()
  await cache.close()
  await damageChunkHeader(place)
  hub.log.clear()
  const offline = await ModelCache.open({ path, endpoint: hub.url, offline: true })
  const told = (await offline.verify({ repair: true })).damaged
  t.like(told, [{ path: Q8, offset: 0, length: SIZE, repaired: false }])
  t.regex(told[0]?.why ?? '', /offline/)
  t.true(offline.hasFile(REPO, Q8))
  await offline.close()
  const online = await ModelCache.open({ path, endpoint: hub.url })
  t.teardown(() => online.close())
  t.throws(() => online.getFile(REPO, Q8), { code: 'ERR_CORRUPT' })
  t.like((await online.verify({ repair: true })).damaged, [{ path: Q8, repaired: true }])
  t.is(cdnBytes(hub), SIZE)
  t.true(isRight(online))
  await online.prune()
  t.like(await online.verify(), INTACT)
})
