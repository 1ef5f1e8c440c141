import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import type { Command } from 'commander'
import type { CachedFile } from '../index.js'
import { CommandError } from './failure.js'
import { perform, type Session } from './session.js'

export function addCat(program: Command): void {
  program
    .command('cat')
    .description('write a stored file to stdout, byte for byte')
    .argument('<repo>', 'name or owner/name')
    .argument('<path>', 'path of the file in the repository')
    .action(perform(cat))
}

async function cat(session: Session, repo: string, path: string): Promise<void> {
  const cache = await session.openToRead()
  const file = cache.getFile(repo, path, session.revision)
  if (!file) {
    const hints = [`Download it: ${session.commandLine('pull', repo, '-f', path)}`]
    throw new CommandError('ERR_FILE_NOT_FOUND', `${repo}/${path} is not stored`, hints, { repo, path })
  }
  session.atEnd(() => file.close())
  if (process.stdout.isTTY && isBinary(file)) {
    const hints = [`Write it into a file: ${session.commandLine('cat', repo, path)} > FILE`]
    throw new CommandError('ERR_INVALID_ARGUMENT', `${repo}/${path} is no text for a terminal`, hints)
  }
  // A reader that goes away ends the process: see `endWithReader`.
  await pipeline(Readable.fromWeb(file.stream() as never), process.stdout, {
    end: false,
    signal: session.signal,
  })
}

/** As git tells: text has no zero byte near its beginning. */
function isBinary(file: CachedFile): boolean {
  return file.subarray(0, Math.min(file.size, 8000)).includes(0)
}
