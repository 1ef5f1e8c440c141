import { execFile } from 'node:child_process'
import { mkdir, readFile, symlink, writeFile } from 'node:fs/promises'
import { dirname, join, resolve } from 'node:path'
import { promisify } from 'node:util'
import anyTest, { type ExecutionContext } from 'ava'
import { LocalHub } from '../../local-hub/index.js'
import { makeFolder } from '../support/folder.js'
import { installPacked } from '../support/packed.js'
import { whyNot } from './engines.js'

const run = promisify(execFile)
const testOf = (engine: Parameters<typeof whyNot>[0]) =>
  whyNot(engine) === undefined ? anyTest : anyTest.skip

/** Runs the first example under a heading in a project that has this package and an engine. */
async function runExample(t: ExecutionContext, heading: string, engine: string): Promise<string> {
  const hub = await LocalHub.start({ root: resolve('.work/hub') })
  t.teardown(() => hub.close())
  const project = await installPacked(t)
  const place = join(project, 'node_modules', engine)
  await mkdir(dirname(place), { recursive: true })
  await symlink(resolve('engines/node_modules', engine), place, 'junction')
  const [, section = ''] = (await readFile('docs/engines.md', 'utf8')).split(`\n## ${heading}\n`)
  const [, example = ''] = /```ts\n(.*?)```/s.exec(section) ?? []
  // A file: options of a program given as text go on to the processes that an engine starts to try itself.
  const program = join(project, 'example.mjs')
  await writeFile(program, example)
  const { stdout } = await run(process.execPath, [program], {
    cwd: project,
    env: { ...process.env, HF_ENDPOINT: hub.url, MODEL_CACHE_DIR: await makeFolder(t) },
  })
  return stdout
}

testOf('transformers')(
  'the example of transformers.js runs in a project that has installed both',
  async (t) => {
    t.is(await runExample(t, 'transformers.js', '@huggingface/transformers'), '[ 1, 384 ]\n')
  },
)

testOf('llama')('the example of llama.cpp runs in a project that has installed both', async (t) => {
  t.is(await runExample(t, 'llama.cpp', 'node-llama-cpp'), 'model cache keeps every\n')
})
