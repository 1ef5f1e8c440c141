import type { DownloadParameters, DownloadResult } from './child/download.js'
import { runScript } from './child-process.js'
import { GIB, type Measurement } from './figure.js'
import { describeTimes, interleave, median, ratios } from './rounds.js'
import { MODEL, type Model, type Workplace } from './workplace.js'

const ROUNDS = 7

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

/** Against curl, which neither verifies nor waits for the disk. */
export const downloadSpeed: Measurement = {
  letter: 'd',
  title: 'downloading 1 GiB from a local Hub, verified and durable, against curl -o',
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
    const calls = downloads.map(({ call }) => call)
    const cpu = downloads.map((one) => one.cpu / (MODEL.size / GIB))
    const curl = describeTimes('curl', walls.curl)
    return [
      {
        what: 'download 1 GiB / curl -o, whole processes',
        value: median(ratios(walls.ours, walls.curl)),
        unit: 'x',
        bound: 1.1,
        detail: `${describeTimes('ours', walls.ours)}, ${curl}`,
      },
      {
        what: 'downloadFile() alone / curl -o',
        value: median(ratios(calls, walls.curl)),
        unit: 'x',
        detail: describeTimes('the call', calls),
      },
      {
        what: 'CPU of the downloading process',
        value: median(cpu),
        unit: 's/GiB',
        bound: 1.6,
        detail: `${ROUNDS} rounds, start of Node included`,
      },
    ]
  },
}
