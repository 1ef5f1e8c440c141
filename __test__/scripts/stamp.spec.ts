import { existsSync } from 'node:fs'
import { join } from 'node:path'
import test from 'ava'
import { makeFolder } from '../support/folder.js'

const location = new URL('../../../scripts/stamp.mjs', import.meta.url)
const { makeOnce } = await import(location.href)

test('made once from the same, again from something else or when it is gone', async (t) => {
  const stamp = join(await makeFolder(t), 'made', 'stamp')
  const made: string[] = []
  const make = (hash: string, isThere = true) =>
    makeOnce(
      stamp,
      hash,
      () => made.push(hash),
      () => isThere,
    )
  await make('a')
  await make('a')
  await make('b')
  await make('b', false)
  t.deepEqual(made, ['a', 'b', 'b'])
})

test('a step that breaks off leaves nothing that counts as made', async (t) => {
  const stamp = join(await makeFolder(t), 'stamp')
  await makeOnce(stamp, 'a', () => {})
  t.true(existsSync(stamp))
  const broken = makeOnce(stamp, 'b', () => {
    throw new Error('killed')
  })
  await t.throwsAsync(broken)
  t.false(existsSync(stamp))
})
