import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { ModelCache } from '@tabagent/model-cache'
import test from 'ava'
import { randomBytes } from '../support/content.js'
import { makeFolder } from '../support/folder.js'
import { startHub } from '../support/hub.js'
import { numbers } from '../support/random.js'
import { MIB } from './half-way.js'
import { Lane, WEIGHTS, type World } from './kill-lane.js'

/** How many processes are killed: 200 unless this is set. */
const KILLS = Number(process.env['MODEL_CACHE_KILLS'] ?? 200)
/** Set it to the seed of a run to have the same decisions again; when which process does what is up to the system. */
const SEED = Number(process.env['MODEL_CACHE_KILLS_SEED'] ?? Date.now() % 1_000_000)

const LANES = 5
const SIZE = 20 * MIB
/** Bytes per second of one connection: a download lasts longer than most of the processes that make it. */
const THROTTLE = 8 * MIB

/** What a kill or the end of a file costs on average: what is on its way then. The promise is 16 MiB. */
const AVERAGE = 4 * MIB

const filesOf = (repo: string) => ({
  [WEIGHTS]: randomBytes(SIZE, repo),
  'tokenizer.json': randomBytes(300_000, `${repo} tokenizer`),
  'config.json': Buffer.from(`{"model_type":"bert","name":"${repo}"}\n`),
})

test(`${KILLS} processes are killed at any moment, and every download ends right`, async (t) => {
  t.timeout(60_000 + KILLS * 3000)
  t.log(`MODEL_CACHE_KILLS_SEED=${SEED}`)
  const repos = Array.from({ length: LANES }, (_, lane) => `acme/m${lane}`)
  const files = Object.fromEntries(repos.map((repo) => [repo, filesOf(repo)]))
  const quotas = { api: Infinity, resolvers: Infinity, window: 300 }
  const { hub } = await startHub(t, files, { throttle: THROTTLE, quotas })
  const options = { path: join(await makeFolder(t), 'store'), endpoint: hub.url }
  const cache = await ModelCache.open(options)
  t.teardown(() => cache.close())
  const world: World = { t, hub, cache, options, random: numbers(SEED), left: KILLS }
  const lanes = repos.map((repo) => new Lane(world, repo, filesOf(repo)))
  const ends = await Promise.allSettled(lanes.map((lane) => lane.run()))
  const costs = ends.flatMap((end) => {
    if (end.status === 'rejected') throw end.reason
    return end.value
  })
  const kills = costs.reduce((sum, cost) => sum + cost.kills, 0)
  const again = costs.reduce((sum, cost) => sum + cost.again, 0)
  t.log(
    `counts: ${kills} kills in ${costs.length} downloads, ${Math.round(again / kills / 1024)} KiB again for each`,
  )
  t.is(kills, KILLS)
  t.true(again <= (kills + costs.length) * AVERAGE, `${again} bytes again after ${kills} kills`)
  t.like(cache.stats(), { files: 0, blobs: 0, partialBytes: 0 })
  // The files of the locks that died with their holders are nobody's.
  await cache.prune()
  const locks = await readdir(join(options.path, 'locks'))
  t.deepEqual(
    locks.filter((name) => /^[0-9a-f]{64}|^quant-/.test(name)),
    [],
  )
})
