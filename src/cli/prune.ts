import type { Command } from 'commander'
import type { PruneReport } from '../index.js'
import { readSize } from './flag.js'
import { perform, type Session } from './session.js'
import { formatSize } from './size.js'
import { count } from './text.js'

interface PruneFlags {
  dryRun?: boolean
  maxSize?: number
}

export function addPrune(program: Command): void {
  program
    .command('prune')
    .description('remove leftovers, and the least recently used quants down to a size')
    .option('--dry-run', 'only say what would go')
    .option('--max-size <size>', 'most to keep, such as 50GB', readSize)
    .action(perform(prune))
}

async function prune(session: Session<PruneFlags>): Promise<void> {
  const { dryRun, maxSize } = session.options
  const cache = await session.open()
  const report = await cache.prune({ ...(dryRun && { dryRun }), ...(maxSize !== undefined && { maxSize }) })
  session.output.result(report, () => printReport(session, report))
}

function printReport({ output }: Session, report: PruneReport): void {
  const { quants, orphans, partials, freed, reusable, kept, dryRun } = report
  const gone = dryRun ? 'would go' : 'removed'
  for (const { repo, quant } of quants) output.print(`${gone}  ${repo} ${quant}`)
  const leftovers = `${count(orphans, 'leftover')} and ${count(partials, 'unfinished download')}`
  const freeing = `${formatSize(freed)} ${dryRun ? 'would be given' : 'given'} back to the disk`
  output.print(`${count(quants.length, 'quant')}, ${leftovers} ${gone}: ${freeing}`, 'bold')
  if (reusable > 0)
    output.note(`${formatSize(reusable)} are free inside the store, for the next download`, 'dim')
  for (const { path, why } of kept) output.note(`kept ${path}: ${why}`)
}
