import { chmod, mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { ModelCache } from '@tabagent/model-cache'
import test from 'ava'
import { makeFolder } from '../support/folder.js'
import { CacheProcess } from './cache-process.js'

const ADVICE = /choose|use another|remove|move|create|make|without readOnly|allow|give/i

test('a file in place of the folder: the message says what to do', async (t) => {
  const path = join(await makeFolder(t), 'store')
  await writeFile(path, 'my notes')
  const error = await t.throwsAsync(ModelCache.open({ path }), { code: 'ERR_IO' })
  t.regex(error?.message.replace(/cannot create/, '') ?? '', ADVICE)
})

test('nothing to open read-only: the message says what to do', async (t) => {
  const folder = await makeFolder(t)
  for (const path of [join(folder, 'none'), folder]) {
    const error = await t.throwsAsync(ModelCache.open({ path, readOnly: true }))
    t.regex(error?.message ?? '', ADVICE, path)
  }
})

test('a folder that cannot be written: the message says what to do', async (t) => {
  const parent = await makeFolder(t)
  await mkdir(join(parent, 'closed'), 0o555)
  await chmod(parent, 0o755)
  const nobody = new CacheProcess(t)
  await nobody.open({ path: join(await makeFolder(t), 'scratch') })
  await nobody.call('close')
  if (process.getuid?.() === 0) await nobody.child.call('becomeNobody')
  const error = await t.throwsAsync(nobody.open({ path: join(parent, 'closed', 'store') }), {
    code: 'ERR_READ_ONLY',
  })
  t.regex(error?.message.replace(/cannot create/, '') ?? '', ADVICE)
})
