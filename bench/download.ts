import type { DownloadParameters, DownloadResult } from './child/download.js'
import { runScript } from './child-process.js'
import { type Figure, GIB, type Measurement } from './figure.js'
import { hasPeer, hfDownload } from './peers.js'
import { describeTimes, interleave, median, ratios } from './rounds.js'
import { MODEL, type Model, type Workplace } from './workplace.js'

const ROUNDS = 7
const HF_ROUNDS = 3

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

/** Against curl and hf, neither of which verifies or waits for the disk. */
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
    const hf: number[] = []
    const rounds = hasPeer('hf') ? HF_ROUNDS : 0
    while (hf.length < rounds) hf.push(await hfDownload(workplace, hub.url, MODEL.repo, MODEL.path))
    return figures(downloads, walls, hf)
  },
}

function figures(
  downloads: readonly Download[],
  walls: Record<'ours' | 'curl', number[]>,
  hf: readonly number[],
): Figure[] {
  const calls = downloads.map(({ call }) => call)
  const cpu = downloads.map((one) => one.cpu / (MODEL.size / GIB))
  const [ours, curl] = [describeTimes('ours', walls.ours), describeTimes('curl', walls.curl)]
  const ratio = (what: string, value: number, detail: string) => ({ what, value, unit: 'x' as const, detail })
  return [
    {
      ...ratio(
        'download 1 GiB / curl -o, whole processes',
        median(ratios(walls.ours, walls.curl)),
        `${ours}, ${curl}`,
      ),
      bound: 1,
    },
    ratio(
      'downloadFile() alone / curl -o',
      median(ratios(calls, walls.curl)),
      describeTimes('the call', calls),
    ),
    ...(hf.length === 0
      ? []
      : [
          {
            ...ratio(
              'download 1 GiB / hf download',
              median(walls.ours) / median(hf),
              describeTimes('hf', hf),
            ),
            bound: 0.3,
          },
        ]),
    {
      what: 'CPU of the downloading process',
      value: median(cpu),
      unit: 's/GiB',
      bound: 1.5,
      detail: `${ROUNDS} rounds, start of Node included`,
    },
  ]
}
