import type { Command } from 'commander'
import type { FileInfo, Manifest } from '../index.js'
import { chooseQuants } from './choice.js'
import { formatDuration } from './duration.js'
import { collect } from './flag.js'
import { fileItem, type Item, quantItem } from './item.js'
import type { Output } from './output.js'
import { sizeOf } from './quant.js'
import { noteStale } from './scan.js'
import { perform, type Session } from './session.js'
import { formatSize } from './size.js'
import { count } from './text.js'
import { Transfer } from './transfer.js'

interface PullFlags {
  quant?: string[]
  file?: string[]
  keep?: boolean
}

export function addPull(program: Command): void {
  program
    .command('pull')
    .description('download quants or files; an interrupted download goes on where it stopped')
    .argument('<repo>', 'name or owner/name')
    .option('-q, --quant <quant>', 'quant to download; may be given several times', collect)
    .option('-f, --file <path>', 'file to download; may be given several times', collect)
    .option('--keep', 'never remove it to make room for others')
    .action(perform(pull))
}

async function pull(session: Session<PullFlags>, repo: string): Promise<void> {
  const { options, output, signal, revision } = session
  const { quant: named = [], file: paths = [] } = options
  const cache = await session.open()
  const manifest = await cache.scanRepo(repo, { ...revision, signal })
  noteStale(output, cache, manifest)
  const quants = named.length + paths.length > 0 ? named : await chooseQuants(session, manifest)
  if (quants.length + paths.length === 0) return leave(session)
  const items = [
    ...quants.map((quant) => quantItem(cache, manifest, quant)),
    ...paths.map((path) => fileItem(cache, manifest, path)),
  ]
  const start = performance.now()
  const transfer = new Transfer(session, resumeCommand(session, manifest.repo, quants))
  const ready = await transfer.run(items, { ...revision, ...(options.keep && { keep: true }) })
  printReady(output, manifest, ready)
  noteEffort(output, transfer.fetched, performance.now() - start)
}

function leave(session: Session): void {
  session.output.note('Nothing was downloaded.')
  session.status = 1
}

/** The command that goes on with what was begun, also where the quants were chosen at the prompt. */
function resumeCommand(session: Session<PullFlags>, repo: string, quants: string[]): string {
  const { file = [], keep, limitRate } = session.options
  const flags = [
    ...quants.flatMap((quant) => ['-q', quant]),
    ...file.flatMap((path) => ['-f', path]),
    ...(keep ? ['--keep'] : []),
    ...(limitRate === undefined ? [] : ['--limit-rate', String(limitRate)]),
  ]
  return session.commandLine('pull', repo, ...flags)
}

function printReady(output: Output, { repo, revision, commit }: Manifest, ready: Item[]): void {
  const quants = ready.flatMap(({ quant: name, files }) =>
    name === undefined ? [] : [{ name, size: sizeOf(files), files }],
  )
  const files = ready.flatMap((item) => (item.quant === undefined ? item.files : []))
  output.result({ repo, revision, commit, quants, files }, () => {
    for (const quant of quants) printQuant(output, repo, quant)
    for (const { path, size } of files) output.print(`${repo} ${path}: ${formatSize(size)}`, 'bold')
  })
}

function printQuant(
  output: Output,
  repo: string,
  quant: { name: string; size: number; files: FileInfo[] },
): void {
  output.print(
    `${repo} ${quant.name}: ${count(quant.files.length, 'file')}, ${formatSize(quant.size)}`,
    'bold',
  )
  for (const { path } of quant.files) output.print(`  ${path}`)
}

function noteEffort(output: Output, fetched: number, milliseconds: number): void {
  const effort = `${formatSize(fetched)} downloaded in ${formatDuration(milliseconds / 1000)}`
  output.note(fetched > 0 ? `Ready: ${effort}.` : 'Ready: all of it was stored already.', 'green')
}
