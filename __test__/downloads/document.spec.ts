import { readdir } from 'node:fs/promises'
import test from 'ava'
import { readRows, readSpecs } from './table.js'

/** Specs of this folder that check no rows. */
const OTHERS = ['document', 'environment', 'secret']

test('every section of docs/downloads.md has its spec, and every spec its section', async (t) => {
  const files = (await readdir('__test__/downloads')).filter((name) => name.endsWith('.spec.ts'))
  const specs = files.map((name) => name.replace('.spec.ts', '')).filter((name) => !OTHERS.includes(name))
  t.deepEqual([...readSpecs()].sort(), specs.sort())
  for (const spec of specs) t.true(readRows(spec).size > 0, spec)
})
