import { spawnSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import test from 'ava'
import { startChild } from '../support/child.js'
import { makeFolder } from '../support/folder.js'

const location = new URL('../../../scripts/setup-lock.mjs', import.meta.url)
const { exclusively } = await import(location.href)

test('two processes set up one after the other, and the second says for whom it waits', async (t) => {
  const lock = join(await makeFolder(t), 'setup.lock')
  const holder = startChild(t, new URL('setup-step.js', import.meta.url))
  await holder.call('begin', lock)
  const waiting = startChild(t, new URL('setup-step.js', import.meta.url))
  const begun = waiting.call('begin', lock)
  const [line] = await waiting.waitFor('said')
  t.true(String(line).includes(`waiting for process ${holder.pid}`), String(line))
  t.false(await waiting.call('isRunning'))
  await holder.call('finish')
  await begun
  t.true(await waiting.call('isRunning'))
})

test('the lock of a process that was killed is taken over', async (t) => {
  const lock = join(await makeFolder(t), 'setup.lock')
  const killed = startChild(t, new URL('setup-step.js', import.meta.url))
  await killed.call('begin', lock)
  await killed.kill()
  t.true(existsSync(lock))
  t.is(await exclusively(() => 'done', lock), 'done')
  t.false(existsSync(lock))
})

test('a step may contain another; a step that fails lets go', async (t) => {
  const lock = join(await makeFolder(t), 'setup.lock')
  const failing = exclusively(async () => {
    await exclusively(() => t.true(existsSync(lock)), lock)
    t.true(existsSync(lock))
    throw new Error('failed')
  }, lock)
  await t.throwsAsync(failing, { message: 'failed' })
  t.false(existsSync(lock))
})

test('a process id that ended long ago holds nothing', async (t) => {
  const lock = join(await makeFolder(t), 'setup.lock')
  const { pid } = spawnSync(process.execPath, ['--version'])
  await writeFile(lock, String(pid))
  t.is(await exclusively(() => 'done', lock), 'done')
})
