import { readFile } from 'node:fs/promises'
import { type ErrorCode, errorCodes } from '@tabagent/model-cache'
import test, { type ExecutionContext } from 'ava'
import { exitStatus } from '#dist/cli/failure.js'
import { createProgram } from '#dist/cli/program.js'
import { makeFolder } from '../support/folder.js'
import { onnxFiles } from '../support/repository.js'
import { ended, openBench } from './command.js'

const PAGE = 'docs/command-line.md'

/** Runs what a document shows as typed, in its order and in a folder of its own. */
async function runCommands(t: ExecutionContext, document: string, repo: string): Promise<number> {
  const markdown = await readFile(document, 'utf8')
  const commands = [...markdown.matchAll(/^\$ model-cache (.*?)(?: +#.*)?$/gm)].map(
    ([, words]) => words ?? '',
  )
  const bench = await openBench(t, { [repo]: onnxFiles(100_000) })
  const cwd = await makeFolder(t)
  for (const words of commands) {
    const { status, stderr } = await ended(bench.start(words.split(' '), {}, cwd))
    t.is(status, 0, `${words}: ${stderr}`)
  }
  return commands.length
}

/** Cells of the rows that begin with a matching first cell. */
function rows(markdown: string, first: RegExp): string[][] {
  const cells = markdown.split('\n').map((line) => line.split('|').slice(1, -1))
  return cells.map((row) => row.map((cell) => cell.trim())).filter(([cell]) => first.test(cell ?? ''))
}

test('the commands of the README run as they stand', async (t) => {
  t.is(await runCommands(t, 'README.md', 'sentence-transformers/all-MiniLM-L6-v2'), 5)
})

test('the commands of the page run as they stand', async (t) => {
  t.is(await runCommands(t, PAGE, 'acme/model'), 15)
})

test('the page lists exactly the commands and the common options there are', async (t) => {
  const markdown = await readFile(PAGE, 'utf8')
  const program = createProgram()
  const [commands = ''] = markdown.split('```console')
  t.deepEqual(
    rows(commands, /^`\w+`$/).map(([name]) => name),
    program
      .createHelp()
      .visibleCommands(program)
      .map((command) => `\`${command.name()}\``),
  )
  t.deepEqual(
    rows(markdown, /^`--/).map(([name]) => name),
    program.options.flatMap(({ long }) => (long === '--version' ? [] : [`\`${long}\``])),
  )
})

test('the page gives every code the exit status it has', async (t) => {
  const markdown = await readFile(PAGE, 'utf8')
  const listed = new Map(
    rows(markdown, /^\d+$/).flatMap(([status, text = '']) =>
      [...text.matchAll(/`(ERR_\w+)`/g)].map(([, code]) => [code as ErrorCode, Number(status)] as const),
    ),
  )
  for (const code of errorCodes) t.is(exitStatus(code), listed.get(code) ?? 1, code)
})
