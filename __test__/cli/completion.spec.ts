import { execFile, spawnSync } from 'node:child_process'
import { chmod, mkdir, writeFile } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { promisify } from 'node:util'
import anyTest, { type ExecutionContext } from 'ava'
import { makeFolder } from '../support/folder.js'
import { onnxFiles } from '../support/repository.js'
import { type Bench, openBench } from './command.js'
import { HAS_TERMINALS, Terminal } from './terminal.js'

const run = promisify(execFile)
const REPO = 'acme/model'

/** Skipped where the shell is not installed; the report shows it. */
const testIn = (shell: string) =>
  spawnSync(shell, ['-c', 'exit']).status === 0 && HAS_TERMINALS ? anyTest : anyTest.skip

/** A bench with something stored, and an environment in which `model-cache` is a program. */
async function openShell(
  t: ExecutionContext,
): Promise<{ bench: Bench; env: NodeJS.ProcessEnv; folder: string }> {
  const bench = await openBench(t, { [REPO]: onnxFiles(100_000) })
  await bench.print('pull', REPO, '-q', 'q8')
  const folder = await makeFolder(t)
  const program = join(folder, 'bin', 'model-cache')
  await mkdir(join(folder, 'bin'))
  await writeFile(program, `#!/bin/sh\nexec '${process.execPath}' '${resolve('dist/cli/main.js')}' "$@"\n`)
  await chmod(program, 0o755)
  const env = { ...bench.environment, HOME: folder, PATH: `${join(folder, 'bin')}:${process.env['PATH']}` }
  return { bench, env, folder }
}

/** Words before the one to complete, that one, and what must be offered. */
const CASES: [words: string, offered: string[]][] = [
  ['pu', ['pull']],
  ['pull --qu', ['--quant', '--quiet']],
  ['pull --he', ['--help']],
  ['pull ac', [REPO]],
  [`pull ${REPO} -q q`, ['q4', 'q8']],
  [`--offline pull --revision main ${REPO} --quant fp`, ['fp16', 'fp32']],
  [`rm ${REPO} -q `, ['q8']],
  [`cat ${REPO} onnx/`, ['onnx/model_quantized.onnx']],
  [`path ${REPO} onnx/`, ['onnx/model_quantized.onnx']],
  [`pull ${REPO} -f conf`, ['config.json']],
  [`export ${REPO} x --link `, ['auto', 'reflink', 'copy']],
  ['completion ', ['bash', 'zsh', 'fish']],
  ['rm acme/none -q ', []],
]

anyTest('the completer offers commands, options, and what the store knows', async (t) => {
  const { bench } = await openShell(t)
  for (const [line, offered] of CASES) {
    const stdout = await bench.print('complete', '--', ...line.split(' '))
    const texts = stdout
      .split('\n')
      .filter(Boolean)
      .map((row) => row.split('\t')[0])
    t.deepEqual(texts.sort(), [...offered].sort(), line)
  }
})

anyTest('the completer never fails, and makes no store', async (t) => {
  const bench = await openBench(t, {})
  const missing = join(bench.store, 'nowhere')
  t.is(await bench.print('complete', '--', '--cache-dir', missing, 'pull', ''), '')
  await t.throwsAsync(run('ls', [missing]))
})

testIn('bash')('bash completes with the script', async (t) => {
  const { env } = await openShell(t)
  const script = `
    source <(model-cache completion bash)
    complete -p model-cache >&2
    while IFS= read -r line; do
      IFS=' ' read -r -a COMP_WORDS <<< "model-cache $line"
      [[ $line == *' ' ]] && COMP_WORDS+=('')
      COMP_CWORD=$(( \${#COMP_WORDS[@]} - 1 ))
      _model_cache
      echo "\${COMPREPLY[*]}"
    done`
  const child = run('bash', ['--norc', '-c', script], { env })
  child.child.stdin?.end(CASES.map(([line]) => `${line}\n`).join(''))
  const { stdout, stderr } = await child
  t.regex(stderr, /-F _model_cache model-cache/)
  for (const [index, reply] of stdout.trimEnd().split('\n').entries()) {
    const [line, offered] = CASES[index] ?? ['', []]
    t.deepEqual(reply.split(' ').filter(Boolean).sort(), [...offered].sort(), line)
  }
})

testIn('fish')('fish completes with the script', async (t) => {
  const { env } = await openShell(t)
  for (const [line, offered] of CASES.filter((entry) => entry[1].length > 0)) {
    const script = `model-cache completion fish | source; complete -C 'model-cache ${line}'`
    const { stdout } = await run('fish', ['--no-config', '-c', script], { env })
    const texts = stdout
      .split('\n')
      .filter(Boolean)
      .map((row) => row.split('\t')[0])
    t.deepEqual(texts.sort(), [...offered].sort(), line)
  }
})

for (const shell of ['bash', 'zsh']) {
  testIn(shell)(`${shell} completes what is typed in a terminal`, async (t) => {
    const { env, folder } = await openShell(t)
    const start = shell === 'zsh' ? 'autoload -U compinit; compinit -u -D; ' : ''
    const flags = shell === 'zsh' ? ['-f', '-i'] : ['--norc', '--noprofile', '-i']
    const terminal = Terminal.start(t, [shell, ...flags], {}, { ...env, ZDOTDIR: folder })
    terminal.type(`${start}source <(model-cache completion ${shell}); echo lo''aded\r`)
    await terminal.waitFor(/^loaded$/m)
    terminal.type('model-cache pul\t')
    await terminal.waitFor(/model-cache pull $/)
    terminal.type('ac\t')
    await terminal.waitFor(/model-cache pull acme\/model $/)
    terminal.type('-q q8\t; exit\r')
    await terminal.waitFor(/acme\/model q8: 4 files/)
    t.is(await terminal.status, 0)
  })
}
