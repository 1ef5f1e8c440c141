import { type CachedFile, ModelCache } from '@tabagent/model-cache'
import { HAS_PROCESS_STATUS, memory } from '../process-status.js'
import { Collections } from './collections.js'
import { printResult, readParameters } from './script.js'

/** `buffer`: the whole file in one; `chunks`: all its pieces; `subarray`: the MiB at its end. */
export type Look = 'buffer' | 'chunks' | 'subarray'

export interface OpenParameters {
  path: string
  endpoint: string
  repo: string
  file: string
  look: Look
}

export interface OpenResult {
  /** Milliseconds of the first time in this process. */
  first: number
  /** Milliseconds of that in which the engine collected garbage. */
  collecting: number
  /** Milliseconds of each further time, the first handle still open. */
  again: number[]
  /** Anonymous memory that the first time took, in bytes. */
  anonymous: number
}

const TIMES = 500
const MIB = 2 ** 20

const LOOKS: Record<Look, (file: CachedFile) => Buffer[]> = {
  buffer: (file) => [file.buffer],
  chunks: (file) => [...file.chunks()],
  subarray: (file) => [file.subarray(file.size - MIB)],
}

interface Looked {
  file: CachedFile
  buffers: Buffer[]
  start: number
  milliseconds: number
}

/** Gets the file and its bytes, as a program that runs a model does. */
function lookAt(cache: ModelCache, { repo, file: path, look }: OpenParameters): Looked {
  const start = performance.now()
  const file = cache.getFile(repo, path)
  if (!file) throw new Error(`${path} is not stored`)
  const buffers = LOOKS[look](file)
  const milliseconds = performance.now() - start
  for (const buffer of buffers) checkEnds(buffer)
  return { file, buffers, start, milliseconds }
}

/** The bytes are there: a view that fails only when it is read would be quick to make. */
function checkEnds(buffer: Buffer): void {
  if (buffer.at(0) === undefined || buffer.at(-1) === undefined) throw new Error('a view is empty')
}

function lookAgain(cache: ModelCache, parameters: OpenParameters): number {
  const { file, milliseconds } = lookAt(cache, parameters)
  file.close()
  return milliseconds
}

async function main(): Promise<void> {
  const parameters = readParameters<OpenParameters>()
  const { path, endpoint } = parameters
  const cache = await ModelCache.open({ path, endpoint, offline: true })
  const before = HAS_PROCESS_STATUS ? memory().anonymous : 0
  const collections = new Collections()
  const { file, start, milliseconds: first } = lookAt(cache, parameters)
  const anonymous = HAS_PROCESS_STATUS ? memory().anonymous - before : 0
  const collecting = await collections.between(start, start + first)
  const again = Array.from({ length: TIMES }, () => lookAgain(cache, parameters))
  file.close()
  await cache.close()
  printResult<OpenResult>({ first, collecting, again, anonymous })
}

await main()
