import { spawn } from 'node:child_process'
import { existsSync } from 'node:fs'
import test from 'ava'
import { onnxFiles } from '../support/repository.js'
import { type Bench, ended, openBench } from './command.js'

/** A file whose disk is always full. */
const FULL = '/dev/full'
const REPO = 'acme/model'
const FILES = onnxFiles(300_000)

const fullTest = existsSync(FULL) ? test : test.skip

/** Runs a command line whose output goes where the shell is told. */
function runInShell({ environment }: Bench, line: string) {
  const script = `exec "$0" dist/cli/main.js ${line}`
  return ended(spawn('sh', ['-c', script, process.execPath], { env: environment }))
}

fullTest('a result that cannot be written is told with status 1', async (t) => {
  const bench = await openBench(t, { [REPO]: FILES })
  await bench.print('pull', REPO, '-q', 'q8')
  for (const command of ['ls', 'ls --json', `cat ${REPO} onnx/model_quantized.onnx`]) {
    const { status, stderr } = await runInShell(bench, `${command} > ${FULL}`)
    t.is(status, 1, command)
    t.regex(stderr, /^ERR_IO: the output could not be written: .*no space left/i, command)
    t.notRegex(stderr, /\.js:\d/, command)
  }
})

fullTest('remarks that cannot be written end no download', async (t) => {
  const bench = await openBench(t, { [REPO]: FILES })
  const { status, stdout } = await runInShell(bench, `pull ${REPO} -q q8 2> ${FULL}`)
  t.is(status, 0)
  t.regex(stdout, /onnx\/model_quantized\.onnx/)
})
