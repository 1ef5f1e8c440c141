import type { Command } from 'commander'
import { follow } from './follow.js'
import { withDownload } from './missing.js'
import { perform, type Session } from './session.js'
import { formatSize } from './size.js'

export function addPath(program: Command): void {
  program
    .command('path')
    .description('make a plain file for an engine, and print its path')
    .argument('<repo>', 'name or owner/name')
    .argument('<path>', 'path of a stored file, or name of a quant')
    .action(perform(printPath))
}

/** The files are kept: the program that reads them comes when this one has ended. */
async function printPath(session: Session, repo: string, pathOrQuant: string): Promise<void> {
  const cache = await session.open()
  const { onProgress, stop } = follow(session, `${repo} ${pathOrQuant}`)
  const call = { ...session.revision, signal: session.signal, onProgress, keep: true }
  const plain = await cache.materialize(repo, pathOrQuant, call).catch((error: unknown) => {
    throw withDownload(error, { session, cache, repo, name: pathOrQuant })
  })
  session.atEnd(() => plain.close())
  stop()
  const { path, folder, files, copied } = plain
  session.output.result({ path, folder, files, copied }, () => {
    session.output.path(path)
    session.output.note(cost(session, copied), 'dim')
  })
}

function cost(session: Session, copied: number): string {
  const undo = `until its quant is removed, or: ${session.commandLine('prune', '--plain-files')}`
  return copied > 0 ? `Copied: ${formatSize(copied)} beside the store, kept ${undo}` : `Kept ${undo}`
}
