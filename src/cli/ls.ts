import type { Command } from 'commander'
import { type FileInfo, type Manifest, type ModelCache, ModelCacheError, type Quant } from '../index.js'
import { FILE_COLUMNS, fileRow } from './file.js'
import type { Output } from './output.js'
import { isHere, sizeOf, statusOf } from './quant.js'
import { perform, type Session } from './session.js'
import { formatSize } from './size.js'
import type { Column } from './table.js'
import { count } from './text.js'

/** What is stored of one revision of a repository. */
interface Stored {
  repo: string
  revision: string
  commit: string
  quants: Quant[]
  files: FileInfo[]
}

const COLUMNS: readonly Column[] = [
  { title: 'repo', shrinks: true },
  { title: 'revision', shrinks: true, dispensable: 1 },
  { title: 'quant', shrinks: true },
  { title: 'size', align: 'right' },
  { title: 'status' },
]

export function addLs(program: Command): void {
  program
    .command('ls')
    .description('see what is stored: quants of all repositories, or the files of one')
    .argument('[repo]', 'name or owner/name')
    .action(perform(list))
}

async function list(session: Session, repo: string | undefined): Promise<void> {
  const cache = await session.openToRead()
  const stored = manifestsOf(cache, session, repo)
    .map((manifest) => storedOf(cache, manifest))
    .filter(({ quants, files }) => quants.length > 0 || files.length > 0)
  const stats = cache.stats()
  session.output.result({ repositories: stored, stats }, () => {
    if (repo === undefined) printAll(session.output, stored, cache)
    else printFiles(session.output, stored)
  })
}

function manifestsOf(cache: ModelCache, session: Session, repo: string | undefined): Manifest[] {
  if (repo === undefined) {
    const { revision } = session.options
    return cache
      .listManifests()
      .filter((manifest) => revision === undefined || manifest.revision === revision)
  }
  const manifest = cache.getManifest(repo, session.revision)
  if (manifest) return [manifest]
  const { revision = 'main' } = session.options
  throw new ModelCacheError('ERR_REPO_NOT_FOUND', `nothing is stored of ${repo} at ${revision}`, { repo })
}

function storedOf(cache: ModelCache, { repo, revision, commit, quants }: Manifest): Stored {
  const files = cache.listFiles(repo, { revision: commit })
  return { repo, revision, commit, quants: Object.values(quants).filter(isHere), files }
}

function printAll(output: Output, all: Stored[], cache: ModelCache): void {
  if (all.length > 0) output.table(COLUMNS, all.flatMap(rowsOf))
  const { bytes, partialBytes } = cache.stats()
  const quants = all.flatMap((stored) => stored.quants).filter(({ status }) => status === 'downloaded')
  const repos = new Set(all.map(({ repo }) => repo))
  const partial = partialBytes > 0 ? `, and ${formatSize(partialBytes)} of unfinished downloads` : ''
  output.print(
    `${count(quants.length, 'quant')} of ${count(repos.size, 'repository', 'repositories')}: ` +
      `${formatSize(bytes)} stored${partial}, in ${cache.path}`,
    'bold',
  )
  noteOthers(output, cache, bytes - listedBytes(all))
}

/** Bytes of the listed files; the same content counts once, as the store has it. */
function listedBytes(all: Stored[]): number {
  const files = all.flatMap((stored) => stored.files)
  return sizeOf([...new Map(files.map((file) => [file.digest.value, file])).values()])
}

function noteOthers(output: Output, { endpoint }: ModelCache, bytes: number): void {
  if (bytes <= 0) return
  const what = `${formatSize(bytes)} of that are not listed here`
  output.note(`${what}: they are not of ${endpoint} (name another with --endpoint), or of older commits.`)
}

/** One row per quant, and one for the files of no quant. */
function rowsOf({ repo, revision, quants, files }: Stored) {
  const row = (name: string, size: number, status: string) => ({
    cells: [repo, revision, name, formatSize(size), status],
  })
  const known = new Set(quants.flatMap((quant) => quant.files.map(({ path }) => path)))
  const single = files.filter(({ path }) => !known.has(path))
  return [
    ...quants.map((quant) => row(quant.name, quant.size, statusOf(quant))),
    ...(single.length > 0 ? [row(`(${count(single.length, 'file')})`, sizeOf(single), 'stored')] : []),
  ]
}

function printFiles(output: Output, [stored]: Stored[]): void {
  const files = stored?.files ?? []
  if (files.length > 0) output.table(FILE_COLUMNS, files.map(fileRow))
  const unfinished = (stored?.quants ?? []).filter(({ status }) => status !== 'downloaded')
  for (const quant of unfinished) output.print(`${quant.name}: ${statusOf(quant)}`)
  output.print(`${count(files.length, 'file')}: ${formatSize(sizeOf(files))} stored`, 'bold')
}
