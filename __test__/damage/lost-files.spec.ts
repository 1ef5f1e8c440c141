import { cp, open, rm, truncate, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import test, { type ExecutionContext } from 'ava'
import { DamageBench, faultsOf, LARGE } from './damage-bench.js'

const CHUNKS = 'model_cache_chunks'
const MANIFESTS = 'model_cache_manifests'
const PAGE = 64 << 10

/** What happens to the data file at `file`, of which `used` bytes are in use. */
type Loss = (file: string, used: number, others: DamageBench) => Promise<unknown>

const CUT: Record<string, Loss> = {
  'cut in the middle': (file, used) => truncate(file, used / 2),
  'cut by a byte': (file, used) => truncate(file, used - 1),
  'cut behind its first pages': (file) => truncate(file, 3 * PAGE),
}

const GONE: Record<string, Loss> = {
  'cut to nothing': (file) => truncate(file, 0),
  'cut to ten bytes': (file) => truncate(file, 10),
  lost: (file) => rm(file),
  'lost with its folder': (file) => rm(dirname(file), { recursive: true }),
}

const OTHER: Record<string, Loss> = {
  'all zeros': (file, used) => writeFile(file, Buffer.alloc(used)),
  'some text': (file) => writeFile(file, 'hello'.repeat(100_000)),
}

const zeroed: Loss = async (file, used) => {
  const handle = await open(file, 'r+')
  await handle.write(Buffer.alloc(used - 3 * PAGE), 0, used - 3 * PAGE, 3 * PAGE)
  await handle.close()
}

const SWAPPED: Record<string, Loss> = {
  [CHUNKS]: (file, _, others) => cp(others.saved.dataFile(CHUNKS), file),
  [MANIFESTS]: (file, _, others) => cp(others.saved.dataFile(MANIFESTS), file),
}

/** The codes of `open` in both modes, and the files whose bytes are there, after `loss`. */
async function lose(t: ExecutionContext, bench: DamageBench, database: string, loss: Loss, others = bench) {
  const seen: { opened: (string | undefined)[]; right: Set<string>[] } = { opened: [], right: [] }
  for (const readOnly of [true, false]) {
    await bench.saved.restore()
    await loss(bench.saved.dataFile(database), bench.saved.bytes(database).length, others)
    const outcome = await bench.visit(readOnly)
    t.deepEqual(faultsOf(outcome), [], `${database}, ${readOnly ? 'read-only' : 'writable'}`)
    if (typeof outcome === 'string') continue
    seen.opened.push(outcome.codes['open'])
    seen.right.push(new Set(outcome.right))
  }
  return seen
}

const isDamage = (code: string | undefined) => code === 'ERR_CORRUPT' || code === 'ERR_READ_ONLY'

test('a data file that is cut or overwritten is damage, and opens for nobody', async (t) => {
  const bench = await DamageBench.make(t)
  for (const database of [CHUNKS, MANIFESTS]) {
    for (const [what, loss] of Object.entries(CUT)) {
      const { opened } = await lose(t, bench, database, loss)
      t.true(opened.length === 2 && opened.every(isDamage), `${database} ${what}: ${opened}`)
    }
    for (const [what, loss] of Object.entries(OTHER)) {
      const { opened } = await lose(t, bench, database, loss)
      t.deepEqual(opened, ['ERR_CORRUPT', 'ERR_CORRUPT'], `${database} ${what}`)
    }
    const { right } = await lose(t, bench, database, zeroed)
    t.deepEqual(
      right.map(({ size }) => size),
      [0, 0],
      database,
    )
  }
})

test('without its chunks a store goes on with what is in its records, and the rest can be downloaded again', async (t) => {
  const bench = await DamageBench.make(t)
  const small = bench.stored.filter((name) => !LARGE.includes(name))
  for (const [what, loss] of Object.entries(GONE)) {
    const { opened, right } = await lose(t, bench, CHUNKS, loss)
    t.is(opened[1], undefined, what)
    t.truthy(opened[0], `${what}: a store is not made by opening it read-only`)
    for (const name of small) t.true(right[1]?.has(name), `${what}: ${name}`)
    t.true(right[1]?.has('acme/one/a.bin'), `${what}: it was downloaded again`)
  }
})

test('without its records a store says that they are lost, and nothing of its chunks goes', async (t) => {
  const bench = await DamageBench.make(t)
  for (const [what, loss] of Object.entries(GONE)) {
    const { opened } = await lose(t, bench, MANIFESTS, loss)
    t.is(opened[1], 'ERR_CORRUPT', what)
    t.truthy(opened[0], what)
  }
})

test('the data file of another store serves nothing wrong', async (t) => {
  const [bench, others] = [await DamageBench.make(t), await DamageBench.make(t)]
  const chunks = await lose(t, bench, CHUNKS, SWAPPED[CHUNKS] as Loss, others)
  t.deepEqual(chunks.opened, [undefined, undefined])
  t.is(chunks.right[0]?.size, bench.stored.length - LARGE.length)
  const records = await lose(t, bench, MANIFESTS, SWAPPED[MANIFESTS] as Loss, others)
  t.deepEqual(records.opened, [undefined, undefined])
  t.is(records.right[0]?.size, 0, 'they are of another endpoint')
})

test('lost and damaged lock files are made again', async (t) => {
  const bench = await DamageBench.make(t)
  const lockOf = (file: string) => join(dirname(file), 'mdbx.lck')
  const losses: Loss[] = [
    (file) => truncate(lockOf(file), 0),
    (file) => writeFile(lockOf(file), Buffer.alloc(40_000)),
    (file) => writeFile(lockOf(file), 'hello'.repeat(10_000)),
    (file) => rm(lockOf(file)),
    (file) => rm(join(dirname(dirname(file)), 'locks'), { recursive: true, force: true }),
    (file) => writeFile(join(dirname(dirname(file)), 'locks', 'room'), 'hello'),
  ]
  for (const database of [CHUNKS, MANIFESTS]) {
    for (const loss of losses) {
      // The first visit makes the files that are lost before the second.
      const visited: Loss = async (...file) => {
        await bench.visit(false)
        await bench.saved.restoreData()
        await loss(...file)
      }
      const { opened, right } = await lose(t, bench, database, visited)
      t.deepEqual(opened, [undefined, undefined])
      for (const name of bench.stored) t.true(right[0]?.has(name), name)
    }
  }
})
