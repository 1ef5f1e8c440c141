import { join } from 'node:path'
import { type ErrorCode, ModelCache, type ModelCacheError, type OpenOptions } from '@tabagent/model-cache'
import test, { type ExecutionContext } from 'ava'
import type { FaultHook, LocalHub, LocalHubOptions, RequestRecord, Settings } from '../../local-hub/index.js'
import { randomBytes } from '../support/content.js'
import { makeFolder } from '../support/folder.js'
import { startHub } from '../support/hub.js'
import type { Files } from '../support/repository.js'
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
  hub?: Omit<LocalHubOptions, 'root'>
  options?: OpenOptions
  /** What goes wrong with the call; asked once everything else is ready. */
  fault?: (world: World) => FaultHook | undefined | Promise<FaultHook | undefined>
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

/** Declares the tests of a spec file: one for each row of its section of docs/downloads.md, which must state what it measures. */
export function matrix(spec: string, rows: Record<string, (t: ExecutionContext) => Promise<Outcome>>): void {
  const documented = readRows(spec)
  for (const [title, measure] of Object.entries(rows)) {
    test(title, async (t) => {
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
  hub.fault = await row.fault?.(world)
  const onProgress = ({ loaded }: { loaded: number }) => row.onProgress?.(loaded)
  const failure = await attempt(world, cache.downloadFile(REPO, path, { onProgress }))
  const kept = failure ? storedOf(cache, path) : sizeOf(cache, path)
  if (failure) await downloadTheRest(world, row, path, kept)
  expectBytes(world, row, path)
  const sent = hub.log.records.filter(isData)
  t.deepEqual(hub.log.filter({ origin: 'cdn', authorization: true }), [])
  await row.check?.(world, failure)
  const size = sizeOf(cache, path)
  return {
    ends: failure ? describe(failure) : 'the file',
    again: amount(repeated(sent), size),
    kept: amount(kept, size),
  }
}

/** Scans a repository while something is wrong, then, if that failed, once more while nothing is. */
export async function scan(t: ExecutionContext, row: Row): Promise<Outcome> {
  const world = await openWorld(t, row)
  const { cache, hub } = world
  hub.fault = await row.fault?.(world)
  const failure = await attempt(world, cache.scanRepo(REPO))
  const kept = cache.getManifest(REPO) ? 'the listing' : 'nothing'
  await row.check?.(world, failure)
  if (failure && row.fault) {
    hub.fault = undefined
    await row.repair?.(world)
    await cache.scanRepo(REPO)
  }
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

/** Opens another cache over a row's store. */
export async function openCache({ t, hub, path }: World, options: OpenOptions): Promise<ModelCache> {
  const cache = await ModelCache.open({ path, endpoint: hub.url, connections: 1, ...options })
  t.teardown(() => cache.close())
  return cache
}

async function openWorld(t: ExecutionContext, row: Row): Promise<World> {
  const content = {
    files: row.files ?? {
      [PATH]: { size: SIZE, seed: PATH },
      [OTHER]: { size: OTHER_SIZE, seed: OTHER },
    },
    settings: row.settings ?? {},
  }
  const { hub, root } = await startHub(t, { [REPO]: content }, { tokens: [TOKEN], ...row.hub })
  const path = join(await makeFolder(t), 'store')
  const options = { path, endpoint: hub.url, token: TOKEN, connections: 1, retries: 1, ...row.options }
  const cache = await ModelCache.open(options)
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
export function describeAll(error: Error): string {
  const own = JSON.stringify({ ...error, message: error.message, stack: error.stack })
  return error.cause instanceof Error ? `${own}\n${describeAll(error.cause)}` : own
}

export function expectNoSecret(t: ExecutionContext, text: string, signatures: readonly string[] = []): void {
  for (const secret of [TOKEN, 'Signature=', ...signatures]) t.false(text.includes(secret), text)
}

async function downloadTheRest(world: World, row: Row, path: string, kept: number): Promise<void> {
  const { t, hub, cache } = world
  t.is(cache.getFile(REPO, path), undefined)
  t.true(cache.getFile(REPO, OTHER)?.buffer.equals(randomBytes(OTHER_SIZE, OTHER)))
  hub.fault = undefined
  await row.repair?.(world)
  const before = hub.log.records.length
  await cache.downloadFile(REPO, path)
  const sent = hub.log.records.slice(before).filter(isData)
  t.is(
    sum(sent.map(({ bytesSent }) => bytesSent)),
    sizeOf(cache, path) - kept,
    'what was kept is not fetched',
  )
}

function expectBytes({ t, cache }: World, { files }: Row, path: string): void {
  const content = files?.[path] ?? { size: SIZE, seed: PATH }
  const isGiven = typeof content === 'string' || Buffer.isBuffer(content)
  const expected = isGiven ? Buffer.from(content) : randomBytes(content.size, content.seed)
  t.true(cache.getFile(REPO, path)?.buffer.equals(expected))
}

/** Bytes of a file that are recorded on disk. */
function storedOf(cache: ModelCache, path: string): number {
  const quants = Object.values(cache.getManifest(REPO)?.quants ?? {})
  return quants.find(({ files }) => files.some((file) => file.path === path))?.downloaded ?? 0
}

function sizeOf(cache: ModelCache, path: string): number {
  return cache.listFiles(REPO).find((file) => file.path === path)?.size ?? 0
}

function isData({ origin, path, status }: RequestRecord): boolean {
  return status >= 200 && status < 300 && (origin === 'cdn' || path.includes('/api/resolve-cache/'))
}

/** How many of the bytes sent had been sent before, by address and place in what is there. */
function repeated(sent: readonly RequestRecord[]): number {
  let again = 0
  const reached = new Map<string, [number, number][]>()
  for (const { path, query, range, status, bytesSent } of sent) {
    const cursor = query.get('cursor') ?? ''
    const start = status === 206 ? Number(/^bytes=(\d+)/.exec(range ?? '')?.[1] ?? 0) : 0
    const known = reached.get(path + cursor) ?? []
    again += overlap(known, start, start + bytesSent)
    reached.set(path + cursor, [...known, [start, start + bytesSent]])
  }
  return again
}

/** How much of a range lies in any of the others. */
function overlap(known: readonly [number, number][], start: number, end: number): number {
  let covered = 0
  let at = start
  for (const [from, to] of [...known].sort(([a], [b]) => a - b)) {
    covered += Math.max(0, Math.min(end, to) - Math.max(at, from))
    at = Math.max(at, to)
  }
  return covered
}

function describe({ code, status, retryAfter }: Failure): string {
  if (code === 'ERR_HTTP') return `${code} ${status}`
  return retryAfter === undefined ? code : `${code} (again in ${Math.round(retryAfter / 10) * 10} s)`
}

function amount(bytes: number, size: number): string {
  if (bytes === 0) return size === 0 ? 'the file' : 'nothing'
  if (bytes === size) return 'the file'
  return bytes === size / 2 ? 'half of the file' : `${bytes} bytes`
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, number) => total + number, 0)
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
