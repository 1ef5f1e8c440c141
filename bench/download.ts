import type { DownloadParameters, DownloadResult } from './child/download.js'
import { runScript } from './child-process.js'
import { type Figure, GIB, type Measurement } from './figure.js'
import { hasOpenssl, hasPeer, hfDownload } from './peers.js'
import { describeTimes, interleave, median, ratios } from './rounds.js'
import { MODEL, type Model, type Workplace } from './workplace.js'

const ROUNDS = 7
/** Of those that take several times as long as we do. */
const SLOW_ROUNDS = 3

/** What a download into an empty cache cost the process that did it and nothing else. */
export interface Download extends DownloadResult {
  /** Milliseconds of the process, its start included. */
  wall: number
}

/** Downloads `model` into a cache at `path` in a new process. */
export async function downloadInto(path: string, endpoint: string, model: Model): Promise<Download> {
  const parameters: DownloadParameters = { path, endpoint, repo: model.repo, file: model.path }
  const { wall, result } = await runScript<DownloadParameters, DownloadResult>('download', parameters)
  return { wall, ...result }
}

/** The same, leaving nothing. */
export function download(workplace: Workplace, endpoint: string, model: Model): Promise<Download> {
  return workplace.inNewFolder((path) => downloadInto(path, endpoint, model))
}

/** What others needed, in milliseconds; none of those that are not installed. */
interface Others {
  /** Does the same job. */
  verified: number[]
  hf: number[]
}

/** Against curl and hf, neither of which verifies or waits for the disk, and against curl with both. */
export const downloadSpeed: Measurement = {
  letter: 'd',
  title: 'downloading 1 GiB from a local Hub, verified and durable, against curl -o and hf download',
  async measure(workplace) {
    const hub = await workplace.hub(MODEL)
    const downloads: Download[] = []
    const walls = await interleave(ROUNDS, {
      curl: () => workplace.curl(hub, MODEL),
      ours: async () => {
        const one = await download(workplace, hub.url, MODEL)
        downloads.push(one)
        return one.wall
      },
    })
    const others: Others = { verified: [], hf: [] }
    const [openssl, hf] = [await hasOpenssl(), hasPeer('hf')]
    for (let round = 0; round < SLOW_ROUNDS; round += 1) {
      if (openssl) others.verified.push(await workplace.curlVerified(hub, MODEL))
      if (hf) others.hf.push(await hfDownload(workplace, hub.url, MODEL.repo, MODEL.path))
    }
    return figures(downloads, walls, others)
  },
}

function figures(
  downloads: readonly Download[],
  walls: Record<'ours' | 'curl', number[]>,
  { verified, hf }: Others,
): Figure[] {
  const calls = downloads.map(({ call }) => call)
  const cpu = downloads.map((one) => one.cpu / (MODEL.size / GIB))
  const times = `${describeTimes('ours', walls.ours)}, ${describeTimes('curl', walls.curl)}`
  return [
    ratio('1 GiB / curl -o, whole processes', median(ratios(walls.ours, walls.curl)), times, 1),
    ratio(
      '1 GiB, the call alone / curl -o',
      median(ratios(calls, walls.curl)),
      describeTimes('the call', calls),
    ),
    ...against('1 GiB / curl -o, then openssl dgst and fdatasync', walls.ours, verified),
    ...against('1 GiB / hf download', walls.ours, hf, 0.3),
    {
      what: 'CPU of the downloading process',
      value: median(cpu),
      unit: 's/GiB',
      bound: 1.5,
      detail: `${ROUNDS} rounds, start of Node included`,
    },
  ]
}

function against(what: string, ours: readonly number[], theirs: readonly number[], bound?: number): Figure[] {
  if (theirs.length === 0) return []
  return [ratio(what, median(ours) / median(theirs), describeTimes('theirs', theirs), bound)]
}

function ratio(what: string, value: number, detail: string, bound?: number): Figure {
  return { what: `download ${what}`, value, unit: 'x', detail, ...(bound === undefined ? {} : { bound }) }
}
