import { execFile } from 'node:child_process'
import { mkdir, readFile, symlink } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { promisify } from 'node:util'
import anyTest from 'ava'
import { LocalHub } from '../../local-hub/index.js'
import { makeFolder } from '../support/folder.js'
import { installPacked } from '../support/packed.js'
import { whyNot } from './engines.js'

const run = promisify(execFile)
const test = whyNot('transformers') === undefined ? anyTest : anyTest.skip

test('the example of transformers.js runs in a project that has installed both', async (t) => {
  const hub = await LocalHub.start({ root: resolve('.work/hub') })
  t.teardown(() => hub.close())
  const project = await installPacked(t)
  await mkdir(join(project, 'node_modules', '@huggingface'), { recursive: true })
  const installed = resolve('engines/node_modules/@huggingface/transformers')
  await symlink(installed, join(project, 'node_modules', '@huggingface', 'transformers'), 'junction')
  const [, example = ''] =
    /^## transformers\.js\n.*?```ts\n(.*?)```/ms.exec(await readFile('docs/engines.md', 'utf8')) ?? []
  const { stdout } = await run(process.execPath, ['--input-type=module', '-e', example], {
    cwd: project,
    env: { ...process.env, HF_ENDPOINT: hub.url, MODEL_CACHE_DIR: await makeFolder(t) },
  })
  t.is(stdout, '[ 1, 384 ]\n')
})
