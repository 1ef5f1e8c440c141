import type { Command } from 'commander'
import type { Manifest, ModelCache, RemoveReport } from '../index.js'
import { doubtfulFirst } from './doubtful-first.js'
import { collect } from './flag.js'
import type { Output } from './output.js'
import { findQuant } from './quant.js'
import { perform, type Session } from './session.js'
import { formatSize } from './size.js'
import { count } from './text.js'

interface RmFlags {
  quant?: string[]
  file?: string[]
}

export function addRm(program: Command): void {
  program
    .command('rm')
    .description('remove a repository, or some of its quants and files; what others share stays')
    .argument('<repo>', 'name or owner/name')
    .option('-q, --quant <quant>', 'this quant only; may be given several times', collect)
    .option('-f, --file <path>', 'this file only; may be given several times', collect)
    .action(perform(remove))
}

async function remove(session: Session<RmFlags>, repo: string): Promise<void> {
  const cache = await session.open()
  const report = await removeNamed(cache, repo, session)
  session.output.result(report, () => printRemoved(session.output, repo, report))
}

async function removeNamed(
  cache: ModelCache,
  repo: string,
  session: Session<RmFlags>,
): Promise<RemoveReport> {
  const { revision } = session
  const { quant: quants = [], file: paths = [] } = session.options
  if (quants.length + paths.length === 0) return cache.removeRepo(repo, revision)
  const reports: RemoveReport[] = []
  for (const { what, remove } of doubtfulFirst(
    removalsOf(cache, repo, session),
    ({ doubtful }) => doubtful,
  )) {
    reports.push(await remove())
    session.done.push(`Removed all the same: ${repo} ${what}`)
  }
  return reports.reduce(add)
}

/** One thing to remove. */
interface Removal {
  what: string
  /** Whether it may fail: its name may be wrong, or someone downloads it. */
  doubtful: boolean
  remove(): Promise<RemoveReport>
}

/** Files first: their quant would take them along, and then they would not be found. */
function removalsOf(cache: ModelCache, repo: string, { options, revision }: Session<RmFlags>): Removal[] {
  const manifest = cache.getManifest(repo, revision)
  const files = [...new Set(options.file)].map((path) => ({
    what: path,
    doubtful: !cache.hasFile(repo, path, revision) || isComing(manifest, path),
    remove: () => cache.removeFile(repo, path, revision),
  }))
  const quants = (options.quant ?? []).map((name) => {
    const quant = manifest && findQuant(manifest, name)
    return {
      what: name,
      doubtful: quant === undefined || quant.status === 'downloading',
      remove: () => cache.removeQuant(repo, name, revision),
    }
  })
  return [...files, ...quants]
}

/** Whether a quant that needs the file is being downloaded. */
function isComing(manifest: Manifest | undefined, path: string): boolean {
  return Object.values(manifest?.quants ?? {}).some(
    ({ status, files }) => status === 'downloading' && files.some((file) => file.path === path),
  )
}

/** What several removals did together. What is reusable is the state after the last one. */
function add(a: RemoveReport, b: RemoveReport): RemoveReport {
  return {
    files: a.files + b.files,
    blobs: a.blobs + b.blobs,
    freed: a.freed + b.freed,
    reusable: b.reusable,
    kept: [...a.kept, ...b.kept],
  }
}

function printRemoved(output: Output, repo: string, report: RemoveReport): void {
  const { files, freed, reusable, kept } = report
  output.print(`${repo}: ${count(files, 'file')} removed, ${formatSize(freed)} given back to the disk`)
  if (reusable > 0)
    output.note(`${formatSize(reusable)} stay free inside the store, for the next download`, 'dim')
  for (const { path, why } of kept) output.note(`kept ${path}: ${why}`)
}
