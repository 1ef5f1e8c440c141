import { ModelCache } from '@tabagent/model-cache'
import { forgetPeak, HAS_PROCESS_STATUS, memory, writtenBytes } from '../process-status.js'
import { printResult, readParameters } from './script.js'

export interface DownloadParameters {
  path: string
  endpoint: string
  repo: string
  /** What to download: a quant, or else one file. */
  quant?: string
  file?: string
}

export interface DownloadResult {
  /** Milliseconds of the call alone. */
  call: number
  /** CPU seconds of this process, from its start to the end of the call. */
  cpu: number
  /** Bytes written to disk, from the opening of the cache to its closing. */
  written: number
  /** The most that was resident during the call, over what was before, in bytes. */
  peakGrowth: number
  /** Anonymous memory after the call, over that before, in bytes. */
  anonymousGrowth: number
}

/** Opens a cache, downloads into it, and closes it: nothing else, so that all it costs is the download's. */
async function main(): Promise<void> {
  const { path, endpoint, repo, quant, file } = readParameters<DownloadParameters>()
  const writtenBefore = HAS_PROCESS_STATUS ? writtenBytes() : 0
  const cache = await ModelCache.open({ path, endpoint, noProxy: '*' })
  const idle = HAS_PROCESS_STATUS ? memory() : undefined
  if (idle) forgetPeak()
  const start = performance.now()
  if (quant !== undefined) await cache.downloadQuant(repo, quant)
  if (file !== undefined) await cache.downloadFile(repo, file)
  const call = performance.now() - start
  const { user, system } = process.cpuUsage()
  const after = idle && memory()
  await cache.close()
  printResult<DownloadResult>({
    call,
    cpu: (user + system) / 1e6,
    written: HAS_PROCESS_STATUS ? writtenBytes() - writtenBefore : 0,
    peakGrowth: after ? after.peak - idle.resident : 0,
    anonymousGrowth: after ? after.anonymous - idle.anonymous : 0,
  })
}

await main()
