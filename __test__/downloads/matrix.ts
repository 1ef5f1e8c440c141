import { join } from 'node:path'
import { type ErrorCode, ModelCache, type ModelCacheError, type OpenOptions } from '@tabagent/model-cache'
import test, { type ExecutionContext } from 'ava'
import type { FaultHook, LocalHub, LocalHubOptions, RequestRecord, Settings } from '../../local-hub/index.js'
import { randomBytes } from '../support/content.js'
import { makeFolder } from '../support/folder.js'
import { startHub } from '../support/hub.js'
import type { Files } from '../support/repository.js'
import { amount, bytesOf, isData, repeated } from './measure.js'
import { type Outcome, readRows } from './table.js'

export const MIB = 1024 * 1024
export const REPO = 'acme/model'
/** The file of a row, the only one of its quant. Half of it is a whole number of the pieces that are written at once. */
export const PATH = 'm-Q4_K_M.gguf'
export const SIZE = 4 * MIB
export const HALF = SIZE / 2
/** A file that is stored before anything goes wrong, and must stay as it is. */
export const OTHER = 'm-Q8_0.gguf'
export const TOKEN = 'hf_matrixsecret'

const OTHER_SIZE = 100_000

/** What one row is about. */
export interface Row {
  files?: Files
  settings?: Settings
  /** The file to download. Default: `PATH`. */
  path?: string
  /** The revision to scan. Default: `main`. */
  revision?: string
  /** What the repository is called at the Hub. Default: `REPO`, which is asked for. */
  servedAs?: string
  hub?: Omit<LocalHubOptions, 'root'>
  options?: OpenOptions
  /** Default: the Hub's URL. */
  endpoint?: (hub: LocalHub) => string
  /** Send no token. */
  anonymous?: boolean
  /** What goes wrong with the call; asked once everything else is ready. */
  fault?: (world: World) => FaultHook | undefined | Promise<FaultHook | undefined>
  /** How the Hub is all the time. */
  always?: FaultHook
  /** What is to be set right again before the second call, besides the fault. */
  repair?: (world: World) => unknown
  /** Reports of the call. */
  onProgress?: (loaded: number) => void
  /** What else must be true when all is done. */
  check?: (world: World, failure: Failure | undefined) => unknown
}

/** Where a row takes place. */
export interface World {
  readonly t: ExecutionContext
  readonly hub: LocalHub
  readonly root: string
  readonly path: string
  readonly cache: ModelCache
}

export type Failure = ModelCacheError & { code: ErrorCode }

/**
 * Declares the tests of a spec file: one for each row of its section of docs/downloads.md, which must state what it
 * measures. Rows that are not wanted are skipped.
 */
export function matrix(
  spec: string,
  rows: Record<string, (t: ExecutionContext) => Promise<Outcome>>,
  { isWanted = true } = {},
): void {
  const documented = readRows(spec)
  for (const [title, measure] of Object.entries(rows)) {
    const declare = isWanted ? test : test.skip
    declare(title, async (t) => {
      const measured = await inTurn(() => measure(t))
      t.deepEqual<Outcome | undefined, Outcome | undefined>(measured, documented.get(title))
    })
  }
  test(`docs/downloads.md has these rows of ${spec}, in this order`, (t) => {
    t.deepEqual([...documented.keys()], Object.keys(rows))
  })
}

/** Downloads a file while something is wrong, then, if that failed, once more while nothing is. */
export async function download(t: ExecutionContext, row: Row): Promise<Outcome> {
  const world = await openWorld(t, row)
  const { cache, hub } = world
  const path = row.path ?? PATH
  await cache.downloadFile(REPO, OTHER)
  hub.log.clear()
  hub.fault = (await row.fault?.(world)) ?? row.always
  const onProgress = ({ loaded }: { loaded: number }) => row.onProgress?.(loaded)
  const failure = await attempt(world, cache.downloadFile(REPO, path, { onProgress }))
  const kept = failure ? storedOf(cache, path) : sizeOf(cache, path)
  if (failure) await downloadTheRest(world, row, path, kept)
  expectBytes(world, row, path)
  const sent = hub.log.records.filter(isData)
  t.deepEqual(hub.log.filter({ origin: 'cdn', authorization: true }), [])
  await row.check?.(world, failure)
  const size = sizeOf(cache, path)
  await cache.close()
  return {
    ends: failure ? describe(failure) : 'the file',
    again: amount(repeated(sent), size),
    kept: failure ? amount(kept, size) : 'the file',
  }
}

/** Scans a repository while something is wrong, then, if that failed, once more while nothing is. */
export async function scan(t: ExecutionContext, row: Row): Promise<Outcome> {
  const world = await openWorld(t, row)
  const { cache, hub } = world
  hub.fault = (await row.fault?.(world)) ?? row.always
  const failure = await attempt(world, cache.scanRepo(REPO, { revision: row.revision ?? 'main' }))
  const kept = cache.getManifest(REPO) ? 'the listing' : 'nothing'
  await row.check?.(world, failure)
  if (failure && row.fault) {
    hub.fault = row.always
    await row.repair?.(world)
    await cache.scanRepo(REPO)
  }
  await cache.close()
  const again = repeated(hub.log.records.filter(({ path }) => path.includes('/api/models/')))
  return {
    ends: failure ? describe(failure) : 'the listing',
    again: again === 0 ? 'nothing' : 'the listing',
    kept,
  }
}

/** Faults of the storage origin alone; `n` counts its requests from 0. */
export function storage(fault: (n: number, record: RequestRecord) => ReturnType<FaultHook>): FaultHook {
  let count = 0
  return (record) => {
    if (record.origin !== 'cdn') return undefined
    count += 1
    return fault(count - 1, record)
  }
}

/** Faults of the requests for a file's address; `n` counts them from 0. */
export function resolving(fault: (n: number, record: RequestRecord) => ReturnType<FaultHook>): FaultHook {
  let count = 0
  return (record) => {
    if (!/\/resolve\//.test(record.path)) return undefined
    count += 1
    return fault(count - 1, record)
  }
}

async function openWorld(t: ExecutionContext, row: Row): Promise<World> {
  const content = {
    files: row.files ?? {
      [PATH]: { size: SIZE, seed: PATH },
      [OTHER]: { size: OTHER_SIZE, seed: OTHER },
    },
    settings: row.settings ?? {},
  }
  const repositories = { [row.servedAs ?? REPO]: content }
  const { hub, root } = await startHub(t, repositories, { tokens: [TOKEN], ...row.hub })
  hub.fault = row.always
  const path = join(await makeFolder(t), 'store')
  const endpoint = row.endpoint?.(hub) ?? hub.url
  const token = row.anonymous ? {} : { token: TOKEN }
  const cache = await ModelCache.open({
    path,
    endpoint,
    connections: 1,
    retries: 1,
    ...token,
    ...row.options,
  })
  t.teardown(() => cache.close())
  return { t, hub, root, path, cache }
}

/** The error of a call, which must have a code and hold no secret. */
async function attempt({ t, hub }: World, call: Promise<unknown>): Promise<Failure | undefined> {
  const error = await call.then(
    () => undefined,
    (error) => error as Failure,
  )
  if (!error) return undefined
  t.is(error.name, 'ModelCacheError', error.stack)
  const signatures = hub.log.records
    .map(({ query }) => query.get('Signature'))
    .filter((known) => known !== null)
  expectNoSecret(t, describeAll(error), signatures)
  return error
}

/** Everything an error says, its causes included. */
function describeAll(error: Error): string {
  const own = JSON.stringify({ ...error, message: error.message, stack: error.stack })
  return error.cause instanceof Error ? `${own}\n${describeAll(error.cause)}` : own
}

function expectNoSecret(t: ExecutionContext, text: string, signatures: readonly string[] = []): void {
  for (const secret of [TOKEN, 'Signature=', ...signatures]) t.false(text.includes(secret), text)
}

async function downloadTheRest(world: World, row: Row, path: string, kept: number): Promise<void> {
  const { t, hub, cache } = world
  t.is(cache.getFile(REPO, path), undefined)
  t.true(holds(cache, OTHER, randomBytes(OTHER_SIZE, OTHER)))
  hub.fault = row.always
  await row.repair?.(world)
  const before = hub.log.records.length
  await cache.downloadFile(REPO, path)
  const sent = hub.log.records.slice(before).filter(isData)
  t.is(bytesOf(sent), sizeOf(cache, path) - kept, 'what was kept is not fetched')
}

function expectBytes({ t, cache }: World, { files }: Row, path: string): void {
  const content = files?.[path] ?? { size: SIZE, seed: PATH }
  if (typeof content === 'string' || Buffer.isBuffer(content))
    t.true(holds(cache, path, Buffer.from(content)))
  else if (content.sparse) t.true(holdsEnds(cache, path, content.size, content.seed))
  else t.true(holds(cache, path, randomBytes(content.size, content.seed)))
}

/** Larger than a Buffer can be, and zeros but for both ends. */
function holdsEnds(cache: ModelCache, path: string, size: number, seed?: string): boolean {
  using file = cache.getFile(REPO, path)
  const end = randomBytes(MIB, seed)
  const ends = [file?.subarray(0, MIB), file?.subarray(size - MIB)]
  return ends.every((bytes) => bytes?.equals(end))
}

/** Without leaving a view, which would keep the store's addresses until it is collected. */
function holds(cache: ModelCache, path: string, expected: Buffer): boolean {
  using file = cache.getFile(REPO, path)
  return file?.buffer.equals(expected) ?? false
}

/** Bytes of a file that are recorded on disk: the store tells them of quants. */
function storedOf(cache: ModelCache, path: string): number {
  const quants = Object.values(cache.getManifest(REPO)?.quants ?? {})
  return quants.find(({ files }) => files.length === 1 && files[0]?.path === path)?.downloaded ?? 0
}

function sizeOf(cache: ModelCache, path: string): number {
  return cache.listFiles(REPO).find((file) => file.path === path)?.size ?? 0
}

function describe({ code, status, retryAfter }: Failure): string {
  if (code === 'ERR_HTTP') return `${code} ${status}`
  return retryAfter === undefined ? code : `${code} (again in ${Math.round(retryAfter / 10) * 10} s)`
}

/** Most rows of a file that run at once: each has a store, which reserves a large range of addresses. */
const AT_ONCE = 4
const waiting: (() => void)[] = []
let running = 0

async function inTurn<T>(work: () => Promise<T>): Promise<T> {
  if (running >= AT_ONCE) await new Promise<void>((resolve) => waiting.push(resolve))
  else running += 1
  try {
    return await work()
  } finally {
    const next = waiting.shift()
    if (next) next()
    else running -= 1
  }
}
