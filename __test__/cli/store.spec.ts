import { once } from 'node:events'
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import test from 'ava'
import { holdAt, MIB } from '../e2e/half-way.js'
import { randomBytes } from '../support/content.js'
import { makeFolder } from '../support/folder.js'
import { safetensorsFile } from '../support/model-file.js'
import { ggufFiles, onnxFiles } from '../support/repository.js'
import { ended, openBench } from './command.js'
import { HAS_TERMINALS } from './terminal.js'

const terminalTest = HAS_TERMINALS ? test : test.skip

const SIZE = 300_000
const REPO = 'acme/model'
const OTHER = 'acme/other'

test('ls shows the quants that are stored, single files, and totals', async (t) => {
  const bench = await openBench(t, {
    [REPO]: { ...onnxFiles(SIZE) },
    [OTHER]: { ...ggufFiles('m', ['Q4_K_M', 'Q8_0'], SIZE), 'README.md': '# Other\n' },
  })
  t.regex(await bench.print('ls'), /^0 quants of 0 repositories: 0 B stored, in /)
  await bench.print('scan', REPO)
  t.regex(await bench.print('ls'), /^0 quants/, 'what was only scanned is not stored')
  await bench.print('pull', REPO, '-q', 'q8')
  await bench.print('pull', OTHER, '-q', 'Q4_K_M', '-f', 'README.md')
  const lines = (await bench.print('ls')).trimEnd().split('\n')
  t.deepEqual(lines.slice(0, -1), [
    'REPO        REVISION  QUANT       SIZE  STATUS',
    'acme/model  main      q8        300 kB  stored',
    'acme/other  main      Q4_K_M    300 kB  stored',
    'acme/other  main      (1 file)     8 B  stored',
  ])
  t.is(lines.at(-1), `2 quants of 2 repositories: 600 kB stored, in ${bench.store}`)
})

test('a new store among other files is told of once', async (t) => {
  const bench = await openBench(t, {})
  const folder = await makeFolder(t)
  const list = async () => (await bench.run('ls', '--cache-dir', folder)).stderr
  await writeFile(join(folder, 'notes'), 'mine')
  t.is(await list(), `${folder} has other files in it: a new store is made among them.\n`)
  t.is(await list(), '')
})

test('ls tells of what is stored and is not of this endpoint', async (t) => {
  const bench = await openBench(t, { [REPO]: onnxFiles(SIZE) })
  await bench.print('pull', REPO, '-q', 'q8')
  t.is((await bench.run('ls')).stderr, '')
  const { status, stdout, stderr } = await bench.run('ls', '--endpoint', 'http://127.0.0.1:9')
  t.is(status, 0)
  t.regex(stdout, /^0 quants of 0 repositories: 300 kB stored/)
  t.regex(
    stderr,
    /^300 kB of that are not listed here: they are not of http:\/\/127\.0\.0\.1:9 \(name another with --endpoint\)/,
  )
})

test('ls REPO shows the files, and what is unfinished', async (t) => {
  const bench = await openBench(t, { [REPO]: ggufFiles('m', ['Q4_K_M', 'Q8_0'], 8 * MIB) })
  await bench.print('pull', REPO, '-q', 'Q4_K_M')
  holdAt(bench.hub, 4 * MIB)
  const child = bench.start(['pull', REPO, '-q', 'Q8_0', '--json'])
  child.stderr.on('data', (piece: Buffer) => {
    if (piece.toString().includes(`"loaded":${4 * MIB}`)) child.kill('SIGINT')
  })
  await ended(child)
  const stdout = await bench.print('ls', REPO)
  t.regex(stdout, /^m-Q4_K_M\.gguf +8\.3 MB +weights +stored$/m)
  t.regex(stdout, /^Q8_0: 50% stored$/m)
  t.regex(stdout, /^1 file: 8\.3 MB stored$/m)
  t.regex(
    await bench.print('ls'),
    /^1 quant of 1 repository: 8\.3 MB stored, and 4\.1 MB of unfinished downloads, in /m,
  )
})

test('ls --json is one document with repositories, files and totals', async (t) => {
  const bench = await openBench(t, { [REPO]: onnxFiles(SIZE) })
  await bench.print('pull', REPO, '-q', 'q8')
  const { document } = await bench.json('ls')
  t.is(document.repositories.length, 1)
  const [{ repo, quants, files }] = document.repositories
  t.is(repo, REPO)
  t.deepEqual(
    quants.map(({ name, status }: { name: string; status: string }) => [name, status]),
    [['q8', 'downloaded']],
  )
  t.is(files.length, 4)
  t.like(document.stats, { repos: 1, quants: 1, files: 4, bytes: SIZE + 76 })
  t.deepEqual((await bench.json('ls', REPO)).document, document)
})

test('cat writes the bytes and nothing else, of any file size', async (t) => {
  const size = 5 * MIB + 7
  const bench = await openBench(t, { [REPO]: onnxFiles(size) })
  await bench.print('pull', REPO, '-q', 'q8')
  const path = 'onnx/model_quantized.onnx'
  const child = bench.start(['cat', REPO, path])
  const pieces: Buffer[] = []
  for await (const piece of child.stdout) pieces.push(piece)
  t.true(Buffer.concat(pieces).equals(randomBytes(size, path)))
  t.is(await bench.print('cat', REPO, 'config.json'), '{"model_type":"bert"}\n')
})

terminalTest('cat writes text to a terminal, and no other bytes', async (t) => {
  const bench = await openBench(t, { [REPO]: onnxFiles(SIZE) })
  await bench.print('pull', REPO, '-q', 'q8')
  const shown = bench.terminal(['cat', REPO, 'config.json'])
  t.is(await shown.status, 0)
  t.is(shown.text, '{"model_type":"bert"}\n')
  const refused = bench.terminal(['cat', REPO, 'onnx/model_quantized.onnx'], { columns: 200 })
  t.is(await refused.status, 2)
  t.regex(
    refused.text,
    /is no text for a terminal\n {2}Write it into a file: model-cache cat acme\/model \S+ > FILE\n$/,
  )
})

test('cat to a reader that goes away ends quietly', async (t) => {
  const bench = await openBench(t, { [REPO]: onnxFiles(5 * MIB) })
  await bench.print('pull', REPO, '-q', 'q8')
  const child = bench.start(['cat', REPO, 'onnx/model_quantized.onnx'])
  child.stdout.once('data', () => child.stdout.destroy())
  const [[status], stderr] = await Promise.all([once(child, 'close'), text(child.stderr)])
  t.deepEqual([status, stderr], [0, ''])
})

test('rm removes a quant, a file or everything, and says what was freed', async (t) => {
  const bench = await openBench(t, { [REPO]: onnxFiles(2 * MIB) })
  await bench.print('pull', REPO, '-q', 'q8', '-q', 'q4', '-f', 'README.md')
  t.regex(
    await bench.print('rm', REPO, '-q', 'q4'),
    /^acme\/model: 1 file removed, 2\.\d MB given back to the disk$/m,
  )
  t.regex(await bench.print('ls'), /^acme\/model +main +q8 +2 MB +stored$/m)
  t.regex(await bench.print('rm', REPO, '-f', 'README.md'), /: 1 file removed/)
  const { document } = await bench.json('rm', REPO)
  t.like(document, { files: 4, blobs: 4, kept: [] })
  t.true(document.freed >= 2 * MIB)
  t.regex(await bench.print('ls'), /^0 quants of 0 repositories: 0 B stored/)
})

test('rm of a wrong name, or of what is being downloaded, removes nothing else that was named', async (t) => {
  const bench = await openBench(t, { [REPO]: onnxFiles(2 * MIB) })
  await bench.print('pull', REPO, '-q', 'q8', '-f', 'README.md')
  const path = 'onnx/model_quantized.onnx'
  const q8 = ['rm', REPO, '-q', 'q8', '-f', 'README.md']
  for (const [more, expected] of [
    [['-q', 'typo'], /^ERR_QUANT_NOT_FOUND: .*typo/],
    [['-f', 'typo.md'], /^ERR_FILE_NOT_FOUND: .*typo\.md/],
  ] as const) {
    const { status, stderr } = await bench.run(...q8, ...more)
    t.is(status, 3)
    t.regex(stderr, expected)
    t.notRegex(stderr, /Removed/)
  }
  holdAt(bench.hub, MIB)
  const pull = bench.start(['pull', REPO, '-q', 'q4', '--json'])
  await once(pull.stderr, 'data')
  const { status, stderr } = await bench.run(...q8, '-q', 'q4')
  t.is(status, 1)
  t.regex(stderr, /^ERR_IN_USE: /)
  pull.kill('SIGKILL')
  const { document } = await bench.json('ls', REPO)
  const [{ files }] = document.repositories
  t.true([path, 'README.md'].every((wanted) => files.some((file: { path: string }) => file.path === wanted)))
  t.regex(await bench.print(...q8, '-f', path), /^acme\/model: 5 files removed/)
})

test('rm tells what went before it failed', async (t) => {
  const file = safetensorsFile({ w: { dtype: 'BF16', shape: [50_000], bytes: 100_000 } })
  const bench = await openBench(t, { [REPO]: { 'model.safetensors': file } })
  await bench.print('scan', REPO, '--headers')
  await bench.print('pull', REPO, '-q', 'bf16')
  // By its old name the manifest does not know it.
  const { status, stderr } = await bench.run('rm', REPO, '-q', 'model', '-q', 'typo')
  t.is(status, 3)
  t.regex(stderr, /^ERR_QUANT_NOT_FOUND: .*typo/)
  t.regex(stderr, /^ {2}Removed all the same: acme\/model model$/m)
})

test('info tells store, endpoint and sizes, and that there is a token but not which', async (t) => {
  const bench = await openBench(t, { [REPO]: onnxFiles(SIZE) }, { tokens: ['hf_secret'] })
  await bench.print('pull', REPO, '-q', 'q8')
  const plain = await bench.print('info')
  const { version } = JSON.parse(await readFile('package.json', 'utf8'))
  t.true(plain.includes(`version:      ${version} on Node ${process.versions.node}`))
  t.true(
    plain.includes(`store:        ${bench.store}\nendpoint:     ${bench.hub.url}\ntoken:        not set\n`),
  )
  t.regex(plain, /^stored: +300 kB$/m)
  t.regex(plain, /^disk free: +[\d.]+ .?B$/m)
  const { document } = await bench.json('info', '--token', 'hf_secret', '--offline')
  t.like(document, { path: bench.store, endpoint: bench.hub.url, token: true, offline: true })
  t.false(JSON.stringify(document).includes('hf_secret'))
  t.true(document.freeBytes > 0)
})

test('export writes plain files and prints their paths; nothing is replaced unasked', async (t) => {
  const files = onnxFiles(SIZE)
  const bench = await openBench(t, { [REPO]: files })
  const folder = join(await makeFolder(t), 'plain')
  await bench.print('pull', REPO, '-q', 'q8')
  const paths = (await bench.print('export', REPO, folder)).trimEnd().split('\n')
  t.deepEqual(
    paths.sort(),
    ['config.json', 'onnx/model_quantized.onnx', 'tokenizer.json', 'tokenizer_config.json'].map((path) =>
      join(folder, path),
    ),
  )
  const weights = 'onnx/model_quantized.onnx'
  t.true((await readFile(join(folder, weights))).equals(randomBytes(SIZE, weights)))
  const refused = await bench.run('export', REPO, folder)
  t.is(refused.status, 2)
  t.regex(
    refused.stderr,
    /exists already.*\n {2}Replace what is there: model-cache export \S+ \S+ -q q8 --overwrite\n/,
  )
  t.is((await bench.run('export', REPO, folder, '--overwrite', '--link', 'copy')).status, 0)
})

test('path prints the path of a kept plain file, until prune takes it', async (t) => {
  const bench = await openBench(t, { [REPO]: onnxFiles(SIZE) })
  await bench.print('pull', REPO, '-q', 'q8')
  const weights = 'onnx/model_quantized.onnx'
  const path = (await bench.print('path', REPO, weights)).trimEnd()
  t.true((await readFile(path)).equals(randomBytes(SIZE, weights)))
  t.is((await bench.print('path', REPO, weights)).trimEnd(), path)
  const { document } = await bench.json('path', REPO, 'q8')
  t.is(document.copied < SIZE, true, 'the weights are there already')
  t.is(document.files.length, 4)
  await bench.print('prune')
  t.true((await readFile(document.path)).equals(randomBytes(SIZE, weights)))
  t.regex(await bench.print('prune', '--plain-files'), /4 plain files of/)
  await t.throwsAsync(readFile(path), { code: 'ENOENT' })
  t.is((await bench.run('path', REPO, 'q4')).status, 3)
})

test('export of several quants: each is named, and what they share is written once', async (t) => {
  const bench = await openBench(t, { [REPO]: onnxFiles(SIZE) })
  const folder = join(await makeFolder(t), 'plain')
  t.is((await bench.run('export', REPO, folder)).status, 3, 'nothing is stored')
  await bench.print('pull', REPO, '-q', 'q8', '-q', 'q4')
  const { status, stderr } = await bench.run('export', REPO, folder)
  t.is(status, 2)
  t.regex(stderr, /name those to write: q4, q8\n {2}For example: model-cache export acme\/model DIR -q q4\n/)
  const { document } = await bench.json('export', REPO, folder, '-q', 'q8', '-q', 'q4')
  t.is(document.files.length, 5)
})
