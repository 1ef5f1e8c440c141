import { statfs } from 'node:fs/promises'
import type { Command } from 'commander'
import type { ModelCache } from '../index.js'
import type { Output } from './output.js'
import { perform, type Session } from './session.js'
import { formatSize } from './size.js'
import { packageVersion } from './version.js'

export function addInfo(program: Command): void {
  program
    .command('info')
    .description('see where the store is, how large, and what is in force')
    .action(perform(inform))
}

async function inform(session: Session): Promise<void> {
  const cache = await session.openToRead()
  const facts = await factsOf(cache)
  session.output.result(facts, () => printFacts(session.output, facts))
}

/** The token itself is never shown. */
async function factsOf(cache: ModelCache) {
  const { path, endpoint, offline, authenticated: token } = cache
  const disk = await statfs(path)
  return {
    ...{
      version: packageVersion(),
      node: process.versions.node,
      platform: `${process.platform}-${process.arch}`,
    },
    ...{ path, endpoint, token, offline },
    freeBytes: disk.bavail * disk.bsize,
    stats: cache.stats(),
  }
}

function printFacts(output: Output, facts: Awaited<ReturnType<typeof factsOf>>): void {
  const { stats, version, node, platform, path, endpoint, token, offline, freeBytes } = facts
  const lines: [string, string][] = [
    ['version', `${version} on Node ${node}, ${platform}`],
    ['store', path],
    ['endpoint', offline ? `${endpoint} (offline: not used)` : endpoint],
    ['token', token ? 'set' : 'not set'],
    ['repositories', `${stats.repos}`],
    ['quants', `${stats.quants} complete`],
    ['files', `${stats.files}, ${stats.blobs} different contents`],
    ['stored', formatSize(stats.bytes)],
    ['unfinished', formatSize(stats.partialBytes)],
    [
      'on disk',
      `${formatSize(stats.diskBytes)}, of which ${formatSize(stats.reusable)} are free for downloads`,
    ],
    ['plain files', `${stats.plainFiles}, ${formatSize(stats.plainBytes)}`],
    ['disk free', formatSize(freeBytes)],
  ]
  for (const [name, value] of lines) output.print(`${`${name}:`.padEnd(14)}${value}`)
}
