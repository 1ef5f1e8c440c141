import type { Command } from 'commander'
import type { ImportReport } from '../index.js'
import { follow } from './follow.js'
import { perform, type Session } from './session.js'
import { formatSize } from './size.js'
import { count } from './text.js'

interface ImportFlags {
  repo?: string
}

export function addImport(program: Command): void {
  program
    .command('import')
    .description('take models from the cache of huggingface_hub, checked and without a download')
    .argument('[hf-cache-dir]', "its folder (HF_HUB_CACHE, else hub in HF_HOME, else the user's cache)")
    .option('--repo <repo>', 'this repository only')
    .action(perform(importModels))
}

async function importModels(session: Session<ImportFlags>, directory: string | undefined): Promise<void> {
  const { signal, options, output } = session
  const cache = await session.open()
  const { onProgress, stop } = follow(session, 'Importing')
  const call = { signal, onProgress, ...(options.repo !== undefined && { repo: options.repo }) }
  const report = await cache.importHfCache(directory, call)
  stop()
  output.result(report, () => printReport(session, report))
}

function printReport({ output }: Session, { imported, skipped, bytes }: ImportReport): void {
  for (const { repo, path, size } of imported) output.print(`${repo} ${path}: ${formatSize(size)}`)
  output.print(`${count(imported.length, 'file')}, ${formatSize(bytes)} imported`, 'bold')
  for (const { path, why } of skipped) output.note(`left alone ${path}: ${why}`)
}
