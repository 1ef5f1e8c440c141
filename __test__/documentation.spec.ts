import { execFile } from 'node:child_process'
import { access, readFile } from 'node:fs/promises'
import { dirname, join, resolve } from 'node:path'
import { promisify } from 'node:util'
import { errorCodes } from '@tabagent/model-cache'
import test from 'ava'
import { LocalHub } from '../local-hub/index.js'
import { makeFolder } from './support/folder.js'
import { startHub } from './support/hub.js'
import { onnxFiles } from './support/repository.js'

const run = promisify(execFile)
const DOCUMENTS = [
  'README.md',
  'CONTRIBUTING.md',
  'CHANGELOG.md',
  'docs/design.md',
  'docs/downloads.md',
  'docs/reliability.md',
  'docs/security.md',
  'docs/command-line.md',
  'docs/engines.md',
  'local-hub/README.md',
  'engines/README.md',
]
const SIZE = 100_000

/** The fenced blocks of a language. */
function blocks(markdown: string, language: string): string[] {
  return [...markdown.matchAll(/```(\w*)\n(.*?)```/gs)]
    .filter(([, found]) => found === language)
    .map(([, , code]) => code ?? '')
}

test('the example of the README runs as it stands', async (t) => {
  const { hub } = await startHub(t, { 'sentence-transformers/all-MiniLM-L6-v2': onnxFiles(SIZE) })
  const [example] = blocks(await readFile('README.md', 'utf8'), 'ts')
  const { stdout } = await run(process.execPath, ['--input-type=module', '-e', example ?? ''], {
    env: { ...process.env, HF_ENDPOINT: hub.url, MODEL_CACHE_DIR: await makeFolder(t) },
  })
  t.regex(stdout, /'fp32'/)
  t.regex(stdout, new RegExp(`^${SIZE} bytes, ready`, 'm'))
})

/** A section of a document, by its heading. */
function section(markdown: string, heading: string): string {
  return markdown.split(/^## /m).find((text) => text.startsWith(`${heading}\n`)) ?? ''
}

test('the examples of ONNX Runtime run as they stand', async (t) => {
  const hub = await LocalHub.start({ root: resolve('.work/hub') })
  t.teardown(() => hub.close())
  const [example = '', options = ''] = blocks(
    section(await readFile('docs/engines.md', 'utf8'), 'ONNX Runtime'),
    'ts',
  )
  const ofExample = options.replace('onnx/model.onnx', 'onnx/model_quantized.onnx')
  const changed = example.replace(/^const session = .*$/m, ofExample)
  t.true(changed.includes('disable_prepacking'))
  const environment = { ...process.env, HF_ENDPOINT: hub.url, MODEL_CACHE_DIR: await makeFolder(t) }
  for (const program of [example, changed]) {
    const { stdout } = await run(process.execPath, ['--input-type=module', '-e', program], {
      env: environment,
    })
    t.is(stdout, '[ 1, 4, 384 ]\n')
  }
})

test('the commands of the README are scripts of the package', async (t) => {
  const { scripts } = JSON.parse(await readFile('package.json', 'utf8'))
  const commands = blocks(await readFile('README.md', 'utf8'), 'sh').join('\n')
  const named = [...commands.matchAll(/npm (?:run )?(\w+)/g)].map(([, name]) => name ?? '')
  t.true(named.includes('start') && named.includes('test'))
  t.deepEqual(
    named.filter((name) => !(name in scripts)),
    [],
  )
})

test('every link of the documents leads to a file', async (t) => {
  for (const document of DOCUMENTS) {
    const markdown = await readFile(document, 'utf8')
    for (const [, target] of markdown.matchAll(/\]\((?!https?:)([^)#]+)[^)]*\)/g)) {
      await t.notThrowsAsync(access(join(dirname(document), target ?? '')), `${document}: ${target}`)
    }
  }
})

test('every path that a document names is there', async (t) => {
  for (const document of DOCUMENTS) {
    const markdown = await readFile(document, 'utf8')
    const paths = [
      ...markdown.matchAll(
        /`((?:crates|src|scripts|docs|__test__|local-hub|bench|examples|engines)\/[\w./-]+)`/g,
      ),
    ]
    for (const [, path] of paths) await t.notThrowsAsync(access(path ?? ''), `${document}: ${path}`)
  }
})

test('the design document lists exactly the error codes there are', async (t) => {
  const design = await readFile('docs/design.md', 'utf8')
  const listed = [...design.matchAll(/^\| `(ERR_\w+)` \|/gm)].map(([, code]) => code)
  t.deepEqual(listed.sort(), [...errorCodes].sort())
})
