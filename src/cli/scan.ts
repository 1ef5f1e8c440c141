import type { Command } from 'commander'
import type { FileInfo, Manifest, ModelCache } from '../index.js'
import { formatDate } from './date.js'
import { FILE_COLUMNS, fileRow } from './file.js'
import type { Output } from './output.js'
import { QUANT_COLUMNS, quantRow, sizeOf } from './quant.js'
import { perform, type Session } from './session.js'
import { formatSize } from './size.js'
import { count } from './text.js'

interface ScanFlags {
  files?: boolean
  headers?: boolean
}

export function addScan(program: Command): void {
  program
    .command('scan')
    .description('see what a repository has: quants, sizes, what of them is stored')
    .argument('<repo>', 'name or owner/name')
    .option('--files', 'list every file')
    .option('--headers', 'read headers of files where no name says how a quant is stored')
    .action(perform(scan))
}

async function scan(session: Session<ScanFlags>, repo: string): Promise<void> {
  const { output, options, signal } = session
  const cache = await session.openToRead()
  const manifest = await cache.scanRepo(repo, {
    ...session.revision,
    ...(options.headers && { headers: true }),
    signal,
  })
  noteStale(output, cache, manifest)
  output.result(manifest, () => {
    printHead(output, manifest)
    const quants = Object.values(manifest.quants)
    if (options.files) output.table(FILE_COLUMNS, allFiles(manifest).map(fileRow))
    else if (quants.length > 0) printQuants(output, manifest)
    else output.print('No weights that an engine could load.')
  })
  const [first] = Object.keys(manifest.quants)
  if (first === undefined || options.files) return
  output.suggest('Download one', session.commandLine('pull', manifest.repo, '-q', 'QUANT'), 'dim')
}

/** Says so where the listing is an old one. */
export function noteStale(output: Output, { endpoint, offline }: ModelCache, manifest: Manifest): void {
  if (!manifest.stale) return
  const why = offline ? 'The endpoint was not asked' : `No listing came from ${endpoint}`
  output.note(`${why}: this is ${manifest.repo} as of ${formatDate(manifest.scannedAt)}.`, 'yellow')
}

function printHead(output: Output, manifest: Manifest): void {
  const { repo, revision, commit, pipelineTask, libraryName, license, gated } = manifest
  const at = revision === commit ? commit : `${revision} at ${commit.slice(0, 12)}`
  const words = [pipelineTask, libraryName, license, gated ? 'gated' : undefined]
  output.print([`${repo}, ${at}`, ...words.filter((word) => word !== undefined)].join(', '), 'bold')
}

function printQuants(output: Output, manifest: Manifest): void {
  const rows = Object.values(manifest.quants).map((quant) => quantRow(quant, manifest))
  output.table(QUANT_COLUMNS, rows)
  const { sharedFiles } = manifest
  if (sharedFiles.length === 0) return
  const shared = `${count(sharedFiles.length, 'file')}, ${formatSize(sizeOf(sharedFiles))}`
  output.print(`Every size includes what all quants share (${shared}):`)
  output.print(`  ${sharedFiles.map(({ path }) => path).join(', ')}`)
}

/** Each file once, in the order of its path. */
function allFiles(manifest: Manifest): FileInfo[] {
  const files = [...manifest.sharedFiles, ...Object.values(manifest.quants).flatMap((quant) => quant.files)]
  const byPath = new Map(files.map((file) => [file.path, file]))
  return [...byPath.values()].sort((a, b) => (a.path < b.path ? -1 : 1))
}
