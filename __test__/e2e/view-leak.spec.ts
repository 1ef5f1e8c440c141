import { readFile } from 'node:fs/promises'
import { ModelCache } from '@tabagent/model-cache'
import test from 'ava'
import { collect, fillStore, openStored, REPO } from '../support/store.js'
import { MIB } from './half-way.js'

const FILES = { 'model.onnx': { size: 3 * MIB, seed: 'w' }, 'other.onnx': { size: 70_000, seed: 'o' } }

/** Memory of this process that is its own and no file's, in bytes. */
async function anonymousMemory(): Promise<number> {
  const status = await readFile('/proc/self/status', 'utf8')
  return Number(/^RssAnon:\s+(\d+) kB$/m.exec(status)?.[1]) * 1024
}

/** How many mappings show a file of the store. */
async function storeMappings(path: string): Promise<number> {
  const maps = await readFile('/proc/self/maps', 'utf8')
  return maps.split('\n').filter((line) => line.includes(path)).length
}

const onLinux = process.platform === 'linux' ? test.serial : test.serial.skip

onLinux('40,000 times opened, read and closed leave no mapping, no reader and no memory', async (t) => {
  const { cache, path } = await fillStore(t, FILES)
  const openClose = (rounds: number) => {
    for (let round = 0; round < rounds; round += 1) {
      const file = openStored(cache, round % 2 === 0 ? 'model.onnx' : 'other.onnx')
      if (file.buffer[0] === undefined) throw new Error('an empty view')
      file.close()
    }
  }
  // V8 lets its own young generation grow to 16 MiB before it stays as it is.
  openClose(20_000)
  t.true(await collect(() => cache.stats().views === 0))
  const before = { mappings: await storeMappings(path), readers: cache.stats().readers }
  const growth: number[] = []
  // A leak of 700 bytes a time is 27 MiB in each round. V8's own heap may move by 16, and by more in a round on a busy machine.
  while (growth.length < 4 && !growth.some((bytes) => bytes < 20 * MIB)) {
    const memory = await anonymousMemory()
    openClose(40_000)
    t.true(await collect(() => cache.stats().views === 0))
    t.deepEqual({ mappings: await storeMappings(path), readers: cache.stats().readers }, before)
    growth.push((await anonymousMemory()) - memory)
  }
  t.true(Math.min(...growth) < 20 * MIB, `${growth}`)
})

onLinux(
  'views that are dropped without close end by garbage collection, mappings and readers with them',
  async (t) => {
    const { cache, path } = await fillStore(t, FILES)
    const before = { mappings: await storeMappings(path), readers: cache.stats().readers }
    for (let round = 0; round < 200; round += 1) openStored(cache, 'model.onnx').subarray(round, round + 1)
    t.true((await storeMappings(path)) > before.mappings)
    t.true(await collect(() => cache.stats().views === 0))
    t.deepEqual({ mappings: await storeMappings(path), readers: cache.stats().readers }, before)
  },
)

onLinux('opening a cache again and again leaves nothing', async (t) => {
  const { cache, path } = await fillStore(t, FILES)
  const before = { mappings: await storeMappings(path), readers: cache.stats().readers }
  for (let round = 0; round < 50; round += 1) {
    const again = await ModelCache.open({ path })
    t.is(again.getFile(REPO, 'model.onnx'), undefined, 'it is a file of another endpoint')
    await again.close()
  }
  t.deepEqual({ mappings: await storeMappings(path), readers: cache.stats().readers }, before)
})
