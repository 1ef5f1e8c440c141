import test from 'ava'
import { startChild } from '../support/child.js'
import { digests, downloadAll, expectConsistent, openThree, REPOS, removeAll } from './three-repositories.js'

const PROCESSES = 4
const STEPS = 60
const SCRIPT = new URL('./random-steps-child.js', import.meta.url)

for (const seed of [1, 2, 3]) {
  test.serial(
    `${PROCESSES} processes do as they like and read only right bytes (seed ${seed})`,
    async (t) => {
      const { cache, hub, path } = await openThree(t)
      const children = Array.from({ length: PROCESSES }, () => startChild(t, SCRIPT))
      const run = { options: { path, endpoint: hub.url }, steps: STEPS, repos: REPOS, digests: digests() }
      const walks = children.map((child, index) => child.call('run', { ...run, seed: seed * 100 + index }))
      const reads = (await Promise.all(walks)) as number[]
      t.true(Math.min(...reads) > 0, `files read: ${reads}`)
      for (const child of children) t.deepEqual(await child.end(), { code: 0, signal: null })
      expectConsistent(t, cache)
      await removeAll(t, cache)
    },
  )

  test.serial(
    `processes are killed at any moment, and nothing complete is lost (seed ${seed})`,
    async (t) => {
      const { cache, hub, path } = await openThree(t)
      const run = { options: { path, endpoint: hub.url }, steps: 1000, repos: REPOS, digests: digests() }
      const killSome = async (lane: number) => {
        for (let kill = 0; kill < 4; kill += 1) {
          const child = startChild(t, SCRIPT)
          const walk = child.call('run', { ...run, seed: seed * 100 + lane * 10 + kill, aborts: true })
          const steps = 3 + ((seed * 31 + lane * 17 + kill * 13) % 20)
          const failed = walk.then(
            () => undefined,
            (error: Error) => error,
          )
          await Promise.race([child.waitFor('step', (seen) => seen.length >= steps), failed])
          await child.kill()
          t.is((await failed)?.message, 'the child ended (SIGKILL)')
        }
      }
      await Promise.all([0, 1, 2].map(killSome))
      await downloadAll(t, cache)
      expectConsistent(t, cache)
      await removeAll(t, cache)
    },
  )
}
