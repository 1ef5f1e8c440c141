import { existsSync } from 'node:fs'
import { resolve } from 'node:path'
import { type Command, Option } from 'commander'
import {
  type ExportOptions,
  type ExportReport,
  isModelCacheError,
  type Manifest,
  type ModelCache,
} from '../index.js'
import { CommandError } from './failure.js'
import { collect } from './flag.js'
import { follow } from './follow.js'
import { withDownload } from './missing.js'
import type { Output } from './output.js'
import { findQuant } from './quant.js'
import { perform, type Session } from './session.js'
import { formatSize } from './size.js'
import { count } from './text.js'

type ExportedFile = ExportReport['files'][number]

interface ExportFlags {
  quant?: string[]
  link?: 'auto' | 'reflink' | 'copy'
  overwrite?: boolean
}

export function addExport(program: Command): void {
  const link = new Option('--link <how>', 'share the disk blocks of the store, or copy them (auto)')
  program
    .command('export')
    .description('write stored quants as plain files, for programs that want paths')
    .argument('<repo>', 'name or owner/name')
    .argument('<dir>', 'folder to write into; made if needed')
    .option('-q, --quant <quant>', 'stored quant to write; may be given several times', collect)
    .addOption(link.choices(['auto', 'reflink', 'copy']))
    .option('--overwrite', 'replace files that exist')
    .action(perform(exportQuants))
}

async function exportQuants(session: Session<ExportFlags>, repo: string, directory: string): Promise<void> {
  const { options, revision, signal } = session
  const cache = await session.openToRead()
  const quants = options.quant ?? [onlyStored(session, cache, repo)]
  const written = new Map<string, ExportedFile>()
  for (const quant of quants) {
    const { onProgress, stop } = follow(session, `${repo} ${quant}`)
    const overwrite = options.overwrite || mayReplace(cache, session, { repo, quant, directory }, written)
    const { link } = options
    const call: ExportOptions = { ...revision, signal, onProgress, overwrite, ...(link && { link }) }
    const { files } = await cache.exportQuant(repo, quant, directory, call).catch((error: unknown) => {
      const wanted = withDownload(error, { session, cache, repo, name: quant })
      throw withHint(session, wanted, ['export', repo, directory, '-q', quant])
    })
    stop()
    for (const file of files) written.set(file.destination, file)
  }
  const files = [...written.values()]
  session.output.result({ files }, () => printFiles(session.output, files))
}

/** How to do it all the same, where files stand in the way. */
function withHint(session: Session, error: unknown, words: string[]): unknown {
  if (!isModelCacheError(error, 'ERR_INVALID_ARGUMENT') || !error.message.includes('exists already'))
    return error
  const hint = `Replace what is there: ${session.commandLine(...words, '--overwrite')}`
  return new CommandError(error.code, error.message, [hint])
}

/** Whether all that is in the way of a quant are files it shares with those written just now. */
function mayReplace(
  cache: ModelCache,
  session: Session,
  { repo, quant, directory }: { repo: string; quant: string; directory: string },
  written: ReadonlyMap<string, ExportedFile>,
): boolean {
  const manifest = cache.getManifest(repo, session.revision)
  const files = (manifest && findQuant(manifest, quant)?.files) ?? []
  const present = files.map(({ path }) => resolve(directory, path)).filter(existsSync)
  return present.length > 0 && present.every((path) => written.has(path))
}

/** The quant to write where none is named. */
function onlyStored(session: Session, cache: ModelCache, repo: string): string {
  const names = storedQuants(cache.getManifest(repo, session.revision))
  const [only, ...others] = names
  if (only !== undefined && others.length === 0) return only
  if (only === undefined) {
    const hints = [`Download it first: ${session.commandLine('pull', repo)}`]
    throw new CommandError('ERR_QUANT_NOT_FOUND', `no quant of ${repo} is stored`, hints, { repo })
  }
  throw new CommandError(
    'ERR_INVALID_ARGUMENT',
    `${count(names.length, 'quant')} of ${repo} are stored, name those to write: ${names.join(', ')}`,
    [`For example: ${session.commandLine('export', repo, 'DIR', '-q', only)}`],
    { repo, quants: names },
  )
}

function storedQuants(manifest: Manifest | undefined): string[] {
  const quants = Object.values(manifest?.quants ?? {})
  return quants.filter(({ status }) => status === 'downloaded').map(({ name }) => name)
}

function printFiles(output: Output, files: readonly ExportedFile[]): void {
  for (const { destination } of files) output.path(destination)
  const shared = files.filter(({ method }) => method === 'reflink')
  const size = formatSize(files.reduce((sum, file) => sum + file.size, 0))
  const how = shared.length > 0 ? `, ${shared.length} of them without room of their own on the disk` : ''
  output.note(`Written: ${count(files.length, 'file')}, ${size}${how}.`, 'green')
}
