import test, { type ExecutionContext } from 'ava'
import { numbers, type Random } from '../support/random.js'
import { DamageBench, faultsOf, LARGE } from './damage-bench.js'
import type { PageKind } from './database-file.js'
import { DATABASES } from './saved-store.js'

/** Bytes damaged in each page in use; `MODEL_CACHE_DAMAGES` makes them more. */
const PER_PAGE = Number(process.env['MODEL_CACHE_DAMAGES'] ?? 1)
const SEED = Number(process.env['MODEL_CACHE_DAMAGES_SEED'] ?? Date.now() % 1_000_000)

/** Pages that every database has, whatever is in it. */
const KINDS: readonly PageKind[] = ['free list', 'large value, first page', 'leaf', 'meta', 'table list']

/** Where to damage a page: its header, the list of its entries, or anywhere. */
function placeIn(pageSize: number, next: Random): number {
  return next([20, 60, pageSize][next(3)] ?? pageSize)
}

/** Another value for a byte: inverted, one bit of it, or any. */
function changed(byte: number, next: Random): number {
  const to = [byte ^ 0xff, byte ^ (1 << next(8)), next(256)][next(3)] ?? 0
  return to === byte ? byte ^ 1 : to
}

/** Whoever may write or may not: neither crashes, is given wrong bytes, or hears of anything but damage. */
async function damageEachPage(t: ExecutionContext, database: (typeof DATABASES)[number]): Promise<void> {
  t.timeout(PER_PAGE * 300_000)
  t.log(`MODEL_CACHE_DAMAGES_SEED=${SEED}`)
  const next = numbers(SEED)
  const bench = await DamageBench.make(t)
  const { saved } = bench
  const { name, pageSize } = database
  const pages = saved.databases[name]?.pages ?? []
  for (const kind of KINDS)
    t.true(
      pages.some((page) => page.kind === kind),
      kind,
    )
  for (let round = 0; round < PER_PAGE; round += 1) {
    for (const { number, kind } of pages) {
      const at = number * pageSize + placeIn(pageSize, next)
      const byte = saved.bytes(name)[at] ?? 0
      const to = changed(byte, next)
      const readOnly = next(2) === 0
      await saved.restore()
      await saved.change(name, at, to)
      const faults = faultsOf(await bench.visit(readOnly))
      const how = `byte ${at} (${kind}) ${byte} -> ${to}, ${readOnly ? 'read-only' : 'writable'}`
      t.deepEqual(faults, [], `${name}: ${how}`)
    }
  }
}

for (const database of DATABASES) {
  test(`a byte changed in any page of ${database.name} crashes nobody and is never taken for a right one`, (t) =>
    damageEachPage(t, database))
}

test('a store that nobody has damaged is whole', async (t) => {
  const bench = await DamageBench.make(t)
  for (const readOnly of [true, false]) {
    await bench.saved.restore()
    const outcome = await bench.visit(readOnly)
    if (typeof outcome === 'string') return t.fail(outcome)
    t.deepEqual(outcome.codes, {})
    for (const name of bench.stored) t.true(outcome.right.includes(name), name)
  }
})

test('damaged bytes of one file are none of the others', async (t) => {
  const bench = await DamageBench.make(t)
  const { saved } = bench
  const name = 'model_cache_chunks'
  const pages = saved.databases[name]?.pages.filter(({ kind }) => kind === 'large value, other page') ?? []
  for (const { number } of pages) {
    await saved.restore()
    const at = number * (64 << 10) + 5
    await saved.change(name, at, ~(saved.bytes(name)[at] ?? 0) & 0xff)
    const outcome = await bench.visit(true)
    if (typeof outcome === 'string') return t.fail(outcome)
    const [damaged, ...more] = Object.keys(outcome.codes)
    t.true(LARGE.includes(damaged ?? '') && more.length === 0, JSON.stringify(outcome.codes))
    t.deepEqual(
      outcome.right.toSorted(),
      bench.stored.filter((file) => file !== damaged),
    )
  }
  t.true(pages.length > 3)
})
