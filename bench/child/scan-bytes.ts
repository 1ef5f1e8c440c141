import { readFile } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { ModelCache } from '@tabagent/model-cache'
import { printResult, readParameters } from './script.js'

export interface ScanParameters {
  /** The plain file. */
  plain: string
  /** The compiled addon of bench/plain-mmap. */
  addon: string
  /** The cache that stores the same bytes. */
  path: string
  endpoint: string
  repo: string
  file: string
}

/** Milliseconds. */
export interface ScanResult {
  /** Getting the bytes and the first sum over them all. */
  first: Record<'view' | 'mmap' | 'readFile', number>
  /** A second sum, every page being in place. */
  again: Record<'view' | 'mmap', number>
}

/** Some bytes, what it took to get and sum them, and what the sum is so far. */
interface Source {
  bytes: Uint8Array
  milliseconds: number
  sum: bigint
}

/** The addon of bench/plain-mmap. */
interface PlainMmap {
  map(path: string): ArrayBuffer
  sum(bytes: Uint8Array): bigint
}

const PIECE = 16 * 2 ** 20

async function timed(get: () => Uint8Array | Promise<Uint8Array>): Promise<Source> {
  const start = performance.now()
  const bytes = await get()
  return { bytes, milliseconds: performance.now() - start, sum: 0n }
}

function addPiece(addon: PlainMmap, source: Source, from: number): void {
  const start = performance.now()
  source.sum += addon.sum(source.bytes.subarray(from, from + PIECE))
  source.milliseconds += performance.now() - start
}

/** Sums the sources piece by piece in turn, so that a busy moment of the machine meets them alike. */
function scan(addon: PlainMmap, sources: readonly Source[]): void {
  const size = Math.max(...sources.map(({ bytes }) => bytes.length))
  for (let from = 0, turn = 0; from < size; from += PIECE, turn += 1) {
    const order = turn % 2 === 0 ? sources : sources.toReversed()
    for (const source of order) addPiece(addon, source, from)
  }
  if (new Set(sources.map((source) => source.sum)).size !== 1) throw new Error('the sources differ')
}

const restart = ({ bytes }: Source): Source => ({ bytes, milliseconds: 0, sum: 0n })

async function main(): Promise<void> {
  const { path, endpoint, repo, file, plain, ...parameters } = readParameters<ScanParameters>()
  const cache = await ModelCache.open({ path, endpoint, offline: true })
  const addon: PlainMmap = createRequire(import.meta.url)(parameters.addon)
  const view = await timed(() => {
    const stored = cache.getFile(repo, file)
    if (!stored) throw new Error(`${file} is not stored`)
    return stored.buffer
  })
  const mmap = await timed(() => new Uint8Array(addon.map(plain)))
  scan(addon, [view, mmap])
  const [viewAgain, mmapAgain] = [restart(view), restart(mmap)]
  scan(addon, [viewAgain, mmapAgain])
  const read = await timed(() => readFile(plain))
  scan(addon, [read])
  if (read.sum !== view.sum) throw new Error('the sources differ')
  const milliseconds = (source: Source) => source.milliseconds
  printResult<ScanResult>({
    first: { view: milliseconds(view), mmap: milliseconds(mmap), readFile: milliseconds(read) },
    again: { view: milliseconds(viewAgain), mmap: milliseconds(mmapAgain) },
  })
}

await main()
