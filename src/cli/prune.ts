import type { Command } from 'commander'
import type { PruneReport } from '../index.js'
import { readSize } from './flag.js'
import { perform, type Session } from './session.js'
import { formatSize } from './size.js'
import { count } from './text.js'

interface PruneFlags {
  dryRun?: boolean
  maxSize?: number
  plainFiles?: boolean
}

export function addPrune(program: Command): void {
  program
    .command('prune')
    .description('remove leftovers, and the least recently used quants down to a size')
    .option('--dry-run', 'only say what would go')
    .option('--max-size <size>', 'most to keep, such as 50GB', readSize)
    .option('--plain-files', 'also remove the plain files that "path" made and nobody uses')
    .action(perform(prune))
}

async function prune(session: Session<PruneFlags>): Promise<void> {
  const { dryRun, maxSize, plainFiles } = session.options
  const cache = await session.open()
  const report = await cache.prune({
    ...(dryRun && { dryRun }),
    ...(maxSize !== undefined && { maxSize }),
    ...(plainFiles && { plainFiles }),
  })
  session.output.result(report, () => printReport(session, report))
}

function printReport({ output }: Session, report: PruneReport): void {
  const { quants, orphans, partials, plainFiles, plainBytes, freed, reusable, kept, dryRun } = report
  for (const { repo, quant } of quants) output.print(`${dryRun ? 'would go' : 'removed'}  ${repo} ${quant}`)
  const parts = [
    quants.length > 0 ? count(quants.length, 'quant') : undefined,
    orphans > 0 ? count(orphans, 'leftover') : undefined,
    partials > 0 ? count(partials, 'unfinished download') : undefined,
    plainFiles > 0 ? `${count(plainFiles, 'plain file')} of ${formatSize(plainBytes)}` : undefined,
  ].filter((part) => part !== undefined)
  const [what, freeing] = dryRun ? ['Would go', 'to be given'] : ['Removed', 'given']
  const all = parts.join(', ') || 'nothing'
  output.print(`${what}: ${all}; ${formatSize(freed)} ${freeing} back to the disk`, 'bold')
  if (reusable > 0)
    output.note(`${formatSize(reusable)} are free inside the store, for the next download`, 'dim')
  for (const { path, why } of kept) output.note(`kept ${path}: ${why}`)
}
