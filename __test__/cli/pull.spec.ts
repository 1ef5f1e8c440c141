import test from 'ava'
import { cdnBytes } from '../e2e/half-way.js'
import { ggufFiles, onnxFiles } from '../support/repository.js'
import { openBench } from './command.js'

const SIZE = 300_000
const REPO = 'acme/model'
const FILES = { ...ggufFiles('m', ['Q4_K_M', 'Q8_0', 'BF16'], SIZE), 'README.md': '# A model\n' }

test('a quant: what is ready on stdout, what happened on stderr in plain lines', async (t) => {
  const bench = await openBench(t, { [REPO]: onnxFiles(SIZE) })
  const { status, stdout, stderr } = await bench.run('pull', REPO, '-q', 'Q8')
  t.is(status, 0)
  t.is(
    stdout,
    `${REPO} q8: 4 files, 300 kB\n  config.json\n  onnx/model_quantized.onnx\n  tokenizer.json\n  tokenizer_config.json\n`,
  )
  t.regex(stderr, /^acme\/model q8: \d+%, .* of 300 kB.*\nReady: 300 kB downloaded in \d+ s\.\n$/)
  t.false(stderr.includes('\u001b'), 'no control characters without a terminal')
})

test('a quant that is stored is ready at once, also offline', async (t) => {
  const bench = await openBench(t, { [REPO]: FILES })
  const first = await bench.print('pull', REPO, '-q', 'Q8_0')
  bench.hub.log.clear()
  const { status, stdout, stderr } = await bench.run('pull', REPO, '-q', 'Q8_0', '--offline')
  t.is(status, 0)
  t.is(stdout, first)
  t.regex(stderr, /Ready: all of it was stored already\./)
  t.is(bench.hub.log.records.length, 0)
})

test('the only quant is taken without a question', async (t) => {
  const bench = await openBench(t, { [REPO]: ggufFiles('m', ['Q4_K_M'], SIZE) })
  t.is(await bench.print('pull', REPO), `${REPO} Q4_K_M: 1 file, 300 kB\n  m-Q4_K_M.gguf\n`)
})

test('several quants and no terminal: the list, and what to type', async (t) => {
  const bench = await openBench(t, { [REPO]: FILES })
  const { status, stdout, stderr } = await bench.run('pull', REPO)
  t.is(status, 2)
  t.is(stdout, '')
  for (const quant of ['Q4_K_M', 'Q8_0', 'BF16'])
    t.regex(stderr, new RegExp(`^${quant} +gguf +300 kB +not stored`, 'm'))
  const [, command = ''] = /^ {2}For example: model-cache (.*)$/m.exec(stderr) ?? []
  t.is(command, `pull ${REPO} -q BF16`)
  await bench.print(...command.split(' '))
})

test('several quants and files in one command', async (t) => {
  const bench = await openBench(t, { [REPO]: FILES })
  const args = ['pull', REPO, '-q', 'Q4_K_M', '--quant', 'Q8_0', '-f', 'README.md', '-f', 'm-BF16.gguf']
  const { status, document } = await bench.json(...args)
  t.is(status, 0)
  t.like(document, { repo: REPO, revision: 'main' })
  t.deepEqual(
    document.quants.map(({ name, size }: { name: string; size: number }) => [name, size]),
    [
      ['Q4_K_M', SIZE],
      ['Q8_0', SIZE],
    ],
  )
  t.deepEqual(
    document.files.map(({ path, stored }: { path: string; stored: boolean }) => [path, stored]),
    [
      ['README.md', true],
      ['m-BF16.gguf', true],
    ],
  )
  t.is(cdnBytes(bench.hub), 3 * SIZE)
})

test('a wrong name is told before anything is downloaded', async (t) => {
  const bench = await openBench(t, { [REPO]: FILES })
  for (const [flag, name] of [
    ['-f', 'nowhere.gguf'],
    ['-q', 'Q5_K_M'],
  ] as const) {
    const { status, stdout, stderr } = await bench.run('pull', REPO, '-q', 'Q4_K_M', flag, name)
    t.deepEqual([status, stdout], [3, ''], stderr)
    t.regex(stderr, new RegExp(name))
  }
  t.is(cdnBytes(bench.hub), 0)
})

test('with --json progress is JSON lines on stderr, ending at 100 %', async (t) => {
  const bench = await openBench(t, { [REPO]: onnxFiles(SIZE) })
  const { stderr } = await bench.json('pull', REPO, '-q', 'q4', '-q', 'q8')
  const lines = stderr
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line).progress)
  t.like(
    lines.at(-1),
    { label: `${REPO} q8 and 1 more`, loaded: 2 * SIZE + 76, total: 2 * SIZE + 76 },
    'shared files count once',
  )
  t.true(lines.every(({ loaded, total }) => loaded <= total))
})

test('with --quiet there is the result alone', async (t) => {
  const bench = await openBench(t, { [REPO]: FILES })
  const { status, stdout, stderr } = await bench.run('--quiet', 'pull', REPO, '-q', 'Q8_0')
  t.deepEqual([status, stderr], [0, ''])
  t.regex(stdout, /^acme\/model Q8_0: 1 file/)
})

test('global options are taken before and after the command', async (t) => {
  const bench = await openBench(t, { [REPO]: FILES })
  const other = `${bench.store}/other`
  await bench.print('--cache-dir', other, 'pull', REPO, '-q', 'Q8_0')
  t.regex(await bench.print('ls', '--cache-dir', other), /Q8_0/)
  t.notRegex(await bench.print('ls'), /Q8_0/)
  const { commit } = (await bench.json('scan', REPO)).document
  t.is((await bench.json('scan', '--revision', commit, REPO)).document.revision, commit)
})
