import { readFile } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { ModelCache } from '@tabagent/model-cache'
import { printResult, readParameters } from './script.js'

/** How the bytes come into the process. */
export type Source = 'view' | 'mmap' | 'readFile'

export interface ScanParameters {
  source: Source
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

export interface ScanResult {
  /** Milliseconds from the call to the first sum over all bytes, and of the second sum. */
  first: number
  again: number
  /** Of the bytes, as 32-bit integers: the same for every source. */
  sum: number
}

type Get = () => Promise<Uint8Array>

const SOURCES: Record<Source, (parameters: ScanParameters) => Promise<Get>> = {
  async view({ path, endpoint, repo, file }) {
    const cache = await ModelCache.open({ path, endpoint, offline: true })
    return async () => {
      const stored = cache.getFile(repo, file)
      if (!stored) throw new Error(`${file} is not stored`)
      return stored.buffer
    }
  },
  async mmap({ addon, plain }) {
    const { map } = createRequire(import.meta.url)(addon) as { map(path: string): ArrayBuffer }
    return async () => new Uint8Array(map(plain))
  },
  async readFile({ plain }) {
    return () => readFile(plain)
  },
}

/** Several sums at once: one alone would wait for its own last addition, and not for memory. */
function sum(bytes: Uint8Array): number {
  const words = new Int32Array(bytes.buffer, bytes.byteOffset, bytes.byteLength / 4)
  let [a, b, c, d] = [0, 0, 0, 0]
  for (let at = 0; at + 3 < words.length; at += 4) {
    a = (a + (words[at] as number)) | 0
    b = (b + (words[at + 1] as number)) | 0
    c = (c + (words[at + 2] as number)) | 0
    d = (d + (words[at + 3] as number)) | 0
  }
  return (a + b + c + d) | 0
}

/** Has the loop compiled before the clock starts. */
function warmUp(): void {
  const bytes = new Uint8Array(1 << 20)
  for (let round = 0; round < 100; round += 1) sum(bytes)
}

async function main(): Promise<void> {
  const parameters = readParameters<ScanParameters>()
  const get = await SOURCES[parameters.source](parameters)
  warmUp()
  const start = performance.now()
  const bytes = await get()
  const firstSum = sum(bytes)
  const first = performance.now() - start
  const secondStart = performance.now()
  const secondSum = sum(bytes)
  const again = performance.now() - secondStart
  if (firstSum !== secondSum) throw new Error('the bytes changed between two sums')
  printResult<ScanResult>({ first, again, sum: firstSum })
}

await main()
