import test from 'ava'
import { safetensorsFile } from '../support/model-file.js'
import { ggufFiles, onnxFiles } from '../support/repository.js'
import { type Bench, openBench } from './command.js'
import { HAS_TERMINALS } from './terminal.js'

const terminalTest = HAS_TERMINALS ? test : test.skip

const SIZE = 300_000
const REPO = 'acme/model'
const SETTINGS = {
  pipeline_tag: 'feature-extraction',
  library_name: 'transformers.js',
  license: 'apache-2.0',
}

const openOnnx = (t: Parameters<typeof openBench>[0]): Promise<Bench> =>
  openBench(t, { [REPO]: { files: onnxFiles(SIZE), settings: SETTINGS } })

test('scan shows the quants with sizes and status, the files and what all share', async (t) => {
  const bench = await openOnnx(t)
  await bench.print('pull', REPO, '-q', 'q8')
  const lines = (await bench.print('scan', REPO)).split('\n')
  t.regex(
    lines[0] ?? '',
    /^acme\/model, main at [0-9a-f]{12}, feature-extraction, transformers\.js, apache-2\.0$/,
  )
  t.is(lines[1], 'QUANT  FORMAT    SIZE  STATUS      FILES')
  t.true(lines.includes('q8     onnx    300 kB  stored      onnx/model_quantized.onnx'))
  t.true(lines.includes('q4     onnx    300 kB  not stored  onnx/model_q4.onnx'))
  t.true(lines.includes('Every size includes what all quants share (3 files, 76 B):'))
  t.true(lines.includes('  config.json, tokenizer.json, tokenizer_config.json'))
})

test('scan --headers names a quant that no name does, and pull knows it by both names', async (t) => {
  const file = safetensorsFile({ w: { dtype: 'BF16', shape: [100_000], bytes: 200_000 } })
  const bench = await openBench(t, { [REPO]: { 'model.safetensors': file } })
  t.regex(
    await bench.print('scan', REPO),
    /^model +safetensors +200\.\d kB +not stored +model\.safetensors$/m,
  )
  t.regex(await bench.print('scan', REPO, '--headers'), /^bf16 +safetensors +200/m)
  t.regex(await bench.print('scan', REPO), /^bf16 +safetensors +200/m)
  t.regex(await bench.print('pull', REPO, '-q', 'bf16'), /^acme\/model bf16: 1 file/m)
  t.regex(await bench.print('pull', REPO, '-q', 'model'), /^acme\/model model: 1 file/m)
})

test('scan --files lists every file once', async (t) => {
  const bench = await openOnnx(t)
  await bench.print('pull', REPO, '-f', 'config.json')
  const stdout = await bench.print('scan', REPO, '--files')
  t.is(stdout.match(/\.(onnx|json) /g)?.length, 7)
  t.regex(stdout, /^config\.json +22 B +config +stored$/m)
  t.regex(stdout, /^onnx\/model_q4\.onnx +300 kB +weights +not stored$/m)
})

terminalTest('what to type next is right under the options given, and never broken into lines', async (t) => {
  const bench = await openOnnx(t)
  const terminal = bench.terminal(['scan', REPO, '--revision', 'main'], { columns: 40 })
  t.is(await terminal.status, 0)
  t.regex(terminal.text, /Download one:\n {2}model-cache pull acme\/model -q QUANT --revision main\n$/)
  const { stderr } = await bench.run('scan', REPO)
  t.is(stderr, 'Download one: model-cache pull acme/model -q QUANT\n')
})

test('scan --json is the manifest', async (t) => {
  const bench = await openOnnx(t)
  const { document, stderr } = await bench.json('scan', REPO)
  t.like(document, { repo: REPO, revision: 'main', pipelineTask: 'feature-extraction', stale: false })
  t.deepEqual(Object.keys(document.quants), ['fp16', 'fp32', 'q4', 'q8'])
  t.is(document.quants.q4.size, SIZE + 76)
  t.is(stderr, '')
})

test('what was scanned before is shown offline, and said to be old', async (t) => {
  const bench = await openOnnx(t)
  const first = await bench.print('scan', REPO)
  bench.hub.log.clear()
  const { status, stdout, stderr } = await bench.run('scan', REPO, '--offline')
  t.deepEqual([status, stdout], [0, first])
  t.regex(stderr, /^The endpoint was not asked: this is acme\/model as of /m)
  t.is(bench.hub.log.records.length, 0)
})

test('what was scanned before is shown where the hub does not answer, and said to be old', async (t) => {
  const bench = await openOnnx(t)
  const first = await bench.print('scan', REPO)
  await bench.hub.close()
  const { status, stdout, stderr } = await bench.run('scan', REPO)
  t.deepEqual([status, stdout], [0, first])
  const [, endpoint, moment = ''] =
    /^No listing came from (\S+): this is acme\/model as of (\d{4}-\d\d-\d\d \d\d:\d\d)\.$/m.exec(stderr) ??
    []
  t.is(endpoint, bench.hub.url, stderr)
  const age = Date.now() - new Date(moment.replace(' ', 'T')).getTime()
  t.true(Math.abs(age) < 24 * 3600_000, 'in local time')
})

test('a repository without weights says so', async (t) => {
  const bench = await openBench(t, { [REPO]: { 'README.md': '# Nothing\n' } })
  t.regex(await bench.print('scan', REPO), /^No weights that an engine could load\.$/m)
  const { status, stderr } = await bench.run('pull', REPO)
  t.is(status, 3)
  t.true(stderr.includes(`model-cache pull ${REPO} -f PATH`))
})

terminalTest('on a terminal tables fit its width: names are shortened, columns left out', async (t) => {
  const long = `a-model-with-quite-a-long-name-${'7B-'.repeat(10)}instruct`
  const bench = await openBench(t, { [REPO]: ggufFiles(long, ['Q4_K_M', 'Q8_0'], SIZE) })
  for (const columns of [200, 80, 40]) {
    const terminal = bench.terminal(['scan', REPO], { columns })
    t.is(await terminal.status, 0)
    const rows = terminal.text.split('\n').filter((line) => /^(QUANT|Q4_K_M|Q8_0) /.test(line))
    t.is(rows.length, 3)
    for (const row of rows) t.true(row.length <= columns, `${columns}: ${row}`)
    t.is(
      rows.some((row) => row.includes(long)),
      columns === 200,
    )
    t.true(
      rows.slice(1).every((row) => row.includes('300 kB') && row.includes('not stored')),
      terminal.text,
    )
  }
  t.true(
    (await bench.print('scan', REPO)).includes(`${long}-Q4_K_M.gguf`),
    'without a terminal nothing is shortened',
  )
})
