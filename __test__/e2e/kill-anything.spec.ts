import { createHash } from 'node:crypto'
import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { isModelCacheError, ModelCache } from '@tabagent/model-cache'
import test, { type ExecutionContext } from 'ava'
import { type Child, startChild } from '../support/child.js'
import { makeFolder } from '../support/folder.js'
import { numbers, type Random } from '../support/random.js'
import { IMPORTED, type Scene, setScene } from './random-scene.js'
import { downloadAll, expectConsistent, removeAll } from './three-repositories.js'

/** How many processes are killed: 100 unless this is set. */
const KILLS = Number(process.env['MODEL_CACHE_STRESS_KILLS'] ?? 100)
/** Set it to the seed of a run to have the same decisions again; when which process does what is up to the system. */
const SEED = Number(process.env['MODEL_CACHE_STRESS_SEED'] ?? Date.now() % 1_000_000)

/** Processes that work on the store at once. */
const AT_ONCE = 4

/** Longest life of a process after its first step, milliseconds. */
const LIFE = 400

const SCRIPT = new URL('./random-steps-child.js', import.meta.url)

/** What is counted over all rounds. */
interface Counts {
  kills: number
  files: number
  slowest: number
}

test(`${KILLS} processes that do anything are killed at any moment, and the store is right`, async (t) => {
  t.timeout(60_000 + KILLS * 3000)
  t.log(`MODEL_CACHE_STRESS_SEED=${SEED}`)
  const scene = await setScene(t)
  const random = numbers(SEED)
  const counts: Counts = { kills: 0, files: 0, slowest: 0 }
  // The next ones start while these work.
  let ready = start(t)
  while (counts.kills < KILLS) {
    const working = ready
    ready = counts.kills + AT_ONCE < KILLS ? start(t) : []
    await killAll(t, scene, working, random)
    counts.kills += AT_ONCE
    await inspect(t, scene, counts)
  }
  const slowest = `${Math.round(counts.slowest)} ms`
  t.log(`counts: ${counts.kills} kills, ${counts.files} files compared, slowest opening ${slowest}`)
  t.true(counts.files > 0)
  await finish(t, scene)
})

function start(t: ExecutionContext): Child[] {
  return Array.from({ length: AT_ONCE }, () => startChild(t, SCRIPT))
}

/** Lets them work, and kills one after the other. */
async function killAll(t: ExecutionContext, scene: Scene, children: Child[], random: Random): Promise<void> {
  const folder = await makeFolder(t)
  const walks = children.map((child, index) => {
    const upkeep = { hfCache: scene.hfCache, exports: join(folder, String(index)) }
    const run = { ...scene.run, seed: random(1_000_000), steps: Infinity, aborts: true, upkeep }
    return child.call('run', run).then(
      () => undefined,
      (error: Error) => error.message,
    )
  })
  for (const [index, child] of children.entries()) {
    await Promise.race([child.waitFor('step'), walks[index]])
    await delay(random(LIFE))
    await child.kill()
    t.is(await walks[index], 'the child ended (SIGKILL)')
  }
}

/** What the next process finds. */
async function inspect(t: ExecutionContext, { options, run }: Scene, counts: Counts): Promise<void> {
  const before = performance.now()
  const cache = await ModelCache.open(options)
  counts.slowest = Math.max(counts.slowest, performance.now() - before)
  for (const { repo, quants } of cache.listManifests()) {
    for (const { name, status } of Object.values(quants)) t.not(status, 'downloading', `${repo} ${name}`)
    for (const { path } of cache.listFiles(repo)) {
      using file = cache.getFile(repo, path)
      const digest = createHash('sha256').update(file?.buffer ?? '')
      t.is(digest.digest('hex'), run.digests[`${repo}/${path}`] ?? '', `${repo}/${path}`)
      counts.files += 1
    }
  }
  await cache.prune()
  t.like(await cache.verify(), { damaged: [], missing: [], orphans: 0 })
  t.is(cache.stats().readers, 0)
  await cache.close()
}

/** Everything can be downloaded and removed, and then nothing is left. */
async function finish(t: ExecutionContext, { options }: Scene): Promise<void> {
  const cache = await ModelCache.open(options)
  t.teardown(() => cache.close())
  await cache.removeRepo(IMPORTED).catch((error: unknown) => {
    if (!isModelCacheError(error, 'ERR_REPO_NOT_FOUND')) throw error
  })
  await downloadAll(t, cache)
  await cache.prune({ partialAge: 0 })
  expectConsistent(t, cache)
  await removeAll(t, cache)
  const locks = await readdir(join(cache.path, 'locks'))
  t.deepEqual(
    locks.filter((name) => /^[0-9a-f]{64}|^quant-/.test(name)),
    [],
  )
}
