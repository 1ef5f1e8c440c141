import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import { runExample } from './cargo.js'
import type { Calls, ManyFilesParameters, ManyFilesResult } from './child/many-files.js'
import { runScript } from './child-process.js'
import type { Figure, Measurement } from './figure.js'
import { lmdbModule } from './peers.js'
import { describeTimes, median, ratios } from './rounds.js'

/** Says how many files the store has; of those of a repository there are 100, in 20 quants. */
const FILES = Number(process.env['MODEL_CACHE_BENCH_FILES'] ?? 100_000)
const REPOS = Math.max(1, Math.round(FILES / 100))
const ENDPOINT = 'https://many.test'

/** Both sides give the same objects and bytes, of up to 1,000 repositories in turn. */
export const manyFiles: Measurement = {
  letter: 'm',
  title: `reads of a store with ${REPOS * 100} files, against lmdb`,
  measure(workplace) {
    return workplace.inNewFolder(async (folder) => {
      await mkdir(folder)
      const path = join(folder, 'store')
      // As downloads would fill it.
      await runExample('many_files', [path, ENDPOINT, String(REPOS)])
      const module = lmdbModule()
      const peer = module === undefined ? undefined : { module, folder: join(folder, 'lmdb') }
      const parameters: ManyFilesParameters = { path, endpoint: ENDPOINT, repos: REPOS, peer }
      const { result } = await runScript<ManyFilesParameters, ManyFilesResult>('many-files', parameters)
      return figures(result)
    })
  },
}

function figures({ hasFile, getFile, getManifest, open, stats, listManifests }: ManyFilesResult): Figure[] {
  const whole = (what: string, value: number): Figure => ({ what, value, unit: 'ms', detail: 'once' })
  return [
    ...call('hasFile', hasFile, 2),
    ...call('getManifest of 20 quants', getManifest, 2),
    ...call('getFile + buffer', getFile),
    {
      what: `opening a store of ${REPOS * 100} files`,
      value: median(open),
      unit: 'ms',
      bound: 50,
      detail: describeTimes('open', open),
    },
    whole('stats', stats),
    whole(`listManifests, ${REPOS} of them`, listManifests),
  ]
}

/** The time of a call, and against a get of the same from lmdb where that is installed. */
function call(what: string, { ours, peer }: Calls, bound?: number): Figure[] {
  const milliseconds = (times: readonly number[]) => times.map((time) => time / 1000)
  const described = describeTimes(what, milliseconds(ours))
  const time: Figure = { what, value: median(ours), unit: 'us', detail: described }
  if (peer.length === 0) return [time]
  const detail = `${described}, ${describeTimes('lmdb', milliseconds(peer))}`
  const ratio: Figure = {
    what: `${what} / lmdb get of the same`,
    value: median(ratios(ours, peer)),
    unit: 'x',
    detail,
  }
  return [time, bound === undefined ? ratio : { ...ratio, bound }]
}
