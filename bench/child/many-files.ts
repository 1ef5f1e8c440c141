import { type Manifest, ModelCache } from '@tabagent/model-cache'
import { interleave, type Samples } from '../rounds.js'
import { printResult, readParameters } from './script.js'

/** A store that crates/storage/examples/many_files.rs filled. */
export interface ManyFilesParameters {
  path: string
  endpoint: string
  repos: number
  /** lmdb's module and a folder for its database, where it is installed. */
  peer: { module: string; folder: string } | undefined
}

/** Microseconds of one call, of each round; of ours alone where there is no peer. */
export type Calls = Samples<'ours' | 'peer', number>

export interface ManyFilesResult {
  hasFile: Calls
  getFile: Calls
  getManifest: Calls
  /** Milliseconds. */
  open: number[]
  stats: number
  listManifests: number
}

/** As much of lmdb as is used. */
interface Database {
  put(key: string, value: unknown): Promise<boolean>
  get(key: string): unknown
  getBinary(key: string): Buffer | undefined
  flushed: Promise<unknown>
  close(): Promise<void>
}

const ROUNDS = 60
const OPENINGS = 9
/** Repositories that the calls go through in turn, so that neither side finds its bytes in the caches of the processor. */
const VISITED = 1000

const parameters = readParameters<ManyFilesParameters>()
const { path, endpoint, repos, peer } = parameters
const open = (): Promise<ModelCache> => ModelCache.open({ path, endpoint, offline: true })
const repoAt = (call: number): string => `many/repo-${(call * 7919) % Math.min(repos, VISITED)}`

const openings: number[] = []
for (let round = 0; round < OPENINGS; round += 1) {
  const start = performance.now()
  const opened = await open()
  openings.push(performance.now() - start)
  await opened.close()
}
const cache = await open()
const database = peer && (await fillPeer(peer.module, peer.folder))
const paths = manifestOf(0).quants['Q1_0']?.files.map((file) => file.path) ?? []
const pathAt = (call: number): string => paths[call % paths.length] ?? ''
const result: ManyFilesResult = {
  hasFile: await compare(
    200,
    (call) => cache.hasFile(repoAt(call), pathAt(call)),
    (call) => database?.get(`file:${repoAt(call)}:${pathAt(call)}`),
  ),
  getFile: await compare(
    100,
    (call) => cache.getFile(repoAt(call), pathAt(call))?.buffer,
    (call) => database?.getBinary(`bytes:${repoAt(call)}:${pathAt(call)}`),
  ),
  getManifest: await compare(
    10,
    (call) => cache.getManifest(repoAt(call)),
    (call) => database?.get(`manifest:${repoAt(call)}`),
  ),
  open: openings,
  stats: timed(() => cache.stats()),
  listManifests: timed(() => cache.listManifests()),
}
await database?.close()
await cache.close()
printResult(result)

function manifestOf(call: number): Manifest {
  const manifest = cache.getManifest(repoAt(call))
  if (!manifest) throw new Error(`${repoAt(call)} is not in the store`)
  return manifest
}

/** Gives lmdb the same objects and bytes, in the encoding it chooses by itself. */
async function fillPeer(module: string, folder: string): Promise<Database> {
  const lmdb = (await import(module)) as { open(options: { path: string }): Database }
  const filled = lmdb.open({ path: folder })
  for (let number = 0; number < Math.min(repos, VISITED); number += 1) {
    const manifest = manifestOf(number)
    filled.put(`manifest:${repoAt(number)}`, manifest)
    for (const file of manifest.quants['Q1_0']?.files ?? []) {
      filled.put(`file:${repoAt(number)}:${file.path}`, file)
      filled.put(`bytes:${repoAt(number)}:${file.path}`, cache.getFile(manifest.repo, file.path)?.buffer)
    }
  }
  await filled.flushed
  return filled
}

/** Runs `calls` calls of each side in turn; beside a peer, after one round that does not count. A call that finds nothing is no measurement. */
async function compare(
  calls: number,
  ours: (call: number) => unknown,
  theirs: (call: number) => unknown,
): Promise<Calls> {
  let call = 0
  const batch = (work: (call: number) => unknown) => async () => {
    const start = performance.now()
    for (let n = 0; n < calls; n += 1) {
      if (!work(call++)) throw new Error('what was asked for is not there')
    }
    return ((performance.now() - start) * 1000) / calls
  }
  const side = { ours: batch(ours) }
  if (!database) return { ...(await interleave(ROUNDS, side)), peer: [] }
  const sides = { ...side, peer: batch(theirs) }
  await interleave(1, sides)
  return interleave(ROUNDS, sides)
}

function timed(work: () => unknown): number {
  const start = performance.now()
  work()
  return performance.now() - start
}
