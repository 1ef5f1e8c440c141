import test from 'ava'
import { safetensorsFile } from '../support/model-file.js'
import { openBench } from './command.js'
import { HAS_TERMINALS } from './terminal.js'

const terminalTest = HAS_TERMINALS ? test : test.skip

/** All that a terminal obeys, or a reader is misled by, but for ends of lines and tabs. */
const OBEYED = /[^\P{Cc}\n\t]|\p{Bidi_Control}|\u2028/u
const REPO = 'acme/model'
const PATH = 'x\u202egnp.gguf'
const SETTINGS = {
  pipeline_tag: 'copied\u001b]52;c;ZXZpbA==\u0007',
  library_name: '\u001b[2J\u001b[31mcleared',
  license: 'mit\nREADY\r\u001b[1A\u009b2J',
}
const tensor = { dtype: 'F32', shape: [1], bytes: 4 }
const FILES = {
  [PATH]: { size: 100_000, seed: PATH },
  'model.safetensors': safetensorsFile({ 'w\u001b[2J': tensor }, { 'k\u009b2J\n': 'v\u009d' }),
}

test('no word of a repository or file reaches the output as something to obey', async (t) => {
  const bench = await openBench(t, { [REPO]: { files: FILES, settings: SETTINGS } })
  const commands = [
    ['scan', REPO],
    ['scan', REPO, '--files'],
    ['scan', REPO, '--json'],
    ['pull', REPO, '-f', PATH],
    ['pull', REPO, '-f', PATH, '--json'],
    ['pull', REPO, '-f', `${PATH}f`],
    ['ls', REPO],
    ['inspect', REPO, 'model.safetensors'],
    ['inspect', REPO, 'model.safetensors', '--tensors'],
    ['complete', '--', 'cat', REPO, ''],
    ['rm', REPO, '-f', PATH],
  ]
  for (const words of commands) {
    const { stdout, stderr } = await bench.run(...words)
    t.notRegex(stdout, OBEYED, words.join(' '))
    t.notRegex(stderr, OBEYED, words.join(' '))
  }
})

test('such a character is shown by its number, and ends no line', async (t) => {
  const bench = await openBench(t, { [REPO]: { files: FILES, settings: SETTINGS } })
  const lines = (await bench.print('scan', REPO)).split('\n')
  t.true(lines[0]?.endsWith(String.raw`\u001b[31mcleared, mit\u000aREADY\u000d\u001b[1A\u009b2J`), lines[0])
  t.true(lines.some((line) => line.includes(String.raw`x\u202egnp.gguf`)))
  const tensors = await bench.print('inspect', REPO, 'model.safetensors', '--tensors')
  t.regex(tensors, /^w\\u001b\[2J +F32 /m)
})

test('documents of --json say exactly what there is', async (t) => {
  const bench = await openBench(t, { [REPO]: { files: FILES, settings: SETTINGS } })
  const { document } = await bench.json('scan', REPO)
  const { pipeline_tag: pipelineTask, library_name: libraryName, license } = SETTINGS
  t.like(document, { pipelineTask, libraryName, license })
  t.is((await bench.json('pull', REPO, '-f', PATH)).document.files[0].path, PATH)
})

terminalTest('neither bars nor paths on a terminal are obeyed; programs get the path as it is', async (t) => {
  const bench = await openBench(t, { [REPO]: FILES })
  for (const words of [
    ['pull', REPO, '-f', PATH],
    ['path', REPO, PATH],
  ]) {
    const terminal = bench.terminal(words, { columns: 120 })
    t.is(await terminal.status, 0)
    t.notRegex(terminal.screen, /\p{Bidi_Control}/u)
    t.true(terminal.text.includes(String.raw`x\u202egnp.gguf`))
  }
  t.true((await bench.print('path', REPO, PATH)).endsWith(`${PATH}\n`))
})
