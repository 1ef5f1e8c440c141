import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import { ModelCache } from '@tabagent/model-cache'
import test from 'ava'
import { startChild } from '../support/child.js'
import { fillDisk, mountDisk } from '../support/disk.js'
import { numbers } from '../support/random.js'
import { setScene } from './random-scene.js'
import { downloadAll, expectConsistent } from './three-repositories.js'

/** Set it to the seed of a run to have the same decisions again. */
const SEED = Number(process.env['MODEL_CACHE_STRESS_SEED'] ?? Date.now() % 1_000_000)

/** How many steps there are: 200 unless this is set. */
const STEPS = Number(process.env['MODEL_CACHE_STRESS_STEPS'] ?? 200)

/** Steps for each time that the disk is filled. */
const PERIOD = 50

const SCRIPT = new URL('./random-steps-child.js', import.meta.url)

/** On btrfs each write takes new room, also one through memory: what the disk loses while chunks change may be a signal there. */
const MOMENTS = { ext4: 'at any moment', btrfs: 'between two calls' } as const

for (const kind of ['ext4', 'btrfs'] as const) {
  test.serial(
    `on ${kind} a disk that fills up ${MOMENTS[kind]} is ERR_NO_SPACE to every call, and nothing is lost`,
    async (t) => {
      const disk = await mountDisk(t, kind, 768)
      if (disk === undefined) {
        t.pass()
        return
      }
      t.timeout(120_000 + STEPS * 1000)
      t.log(`MODEL_CACHE_STRESS_SEED=${SEED}`)
      const scene = await setScene(t, disk)
      const child = startChild(t, SCRIPT)
      const upkeep = { hfCache: scene.hfCache, exports: join(disk, 'exports') }
      const expected = ['ERR_NO_SPACE']
      let walking = true
      const walk = child
        .call('run', { ...scene.run, seed: SEED, steps: STEPS, upkeep, expected })
        .finally(() => {
          walking = false
        })
      const random = numbers(SEED)
      for (let from = PERIOD / 2; from < STEPS && walking; from += PERIOD) {
        await Promise.race([child.waitFor('step', (seen) => seen.length >= from), walk])
        if (kind === 'btrfs') await Promise.race([child.call('hold'), walk])
        const filler = await fillDisk(disk)
        if (kind === 'btrfs') await child.call('go')
        const until = from + random(PERIOD / 2)
        await Promise.race([child.waitFor('step', (seen) => seen.length >= until), walk])
        await rm(filler, { force: true })
      }
      const reads = Number(await walk)
      t.log(`counts: ${STEPS} steps on ${kind}, ${Math.ceil(STEPS / PERIOD)} times full, ${reads} files read`)
      t.true(reads > 0)
      t.deepEqual(await child.end(), { code: 0, signal: null })
      const cache = await ModelCache.open(scene.options)
      t.teardown(() => cache.close())
      t.like(await cache.verify(), { damaged: [], missing: [] })
      await cache.prune({ partialAge: 0 })
      for (const { repo } of cache.listManifests()) await cache.removeRepo(repo)
      await downloadAll(t, cache)
      expectConsistent(t, cache)
    },
  )
}
