import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import { writeContent } from '../__test__/support/content.js'
import { HubProcess } from '../local-hub/index.js'
import type { DownloadParameters, DownloadResult } from './child/download.js'
import { runScript } from './child-process.js'
import type { Figure, Measurement } from './figure.js'
import { hasPeer, hfDownload } from './peers.js'
import { describeTimes, interleave, median } from './rounds.js'
import type { Workplace } from './workplace.js'

const REPO = 'bench/small-files'
const QUANT = 'fp32'
const FILES = 300
const SIZE = 10 << 10
const LATENCY = 30
const CONNECTIONS = 8
const ROUNDS = 3

/** Each file takes two requests (the Hub redirects), and each request `LATENCY`: that is what no client can do without. */
const FLOOR = ((FILES * 2) / CONNECTIONS) * LATENCY

/** Where every answer takes its time, only requests beside each other help. */
export const smallFiles: Measurement = {
  letter: 'i',
  title: `downloading ${FILES} files of ${SIZE >> 10} KiB, ${LATENCY} ms per request, against hf download`,
  async measure(workplace) {
    await using hub = await startHub(workplace)
    const contenders = { ours: () => ours(workplace, hub.url) }
    if (!hasPeer('hf')) return figures((await interleave(ROUNDS, contenders)).ours)
    const hf = () => hfDownload(workplace, hub.url, REPO)
    const walls = await interleave(ROUNDS, { ...contenders, hf })
    return figures(walls.ours, walls.hf)
  },
}

async function startHub(workplace: Workplace): Promise<HubProcess> {
  const root = join(workplace.folder, 'small-files')
  const folder = join(root, REPO, 'onnx')
  await mkdir(folder, { recursive: true })
  await writeContent(join(folder, 'model.onnx'), { size: SIZE, seed: 'model' })
  for (let number = 1; number < FILES; number += 1) {
    await writeContent(join(folder, `model.onnx_data_${number}`), { size: SIZE, seed: String(number) })
  }
  return HubProcess.start(root, ['--unlimited', '--latency', String(LATENCY)])
}

/** Milliseconds of a whole process, its start included, as of the other contenders. */
async function ours(workplace: Workplace, endpoint: string): Promise<number> {
  return workplace.inNewFolder(async (path) => {
    const parameters: DownloadParameters = { path, endpoint, repo: REPO, quant: QUANT }
    const { wall } = await runScript<DownloadParameters, DownloadResult>('download', parameters)
    return wall
  })
}

function figures(ours: readonly number[], hf?: readonly number[]): Figure[] {
  const [wall, described] = [median(ours), describeTimes('ours', ours)]
  const floor: Figure = {
    what: `${FILES} small files / the time of their requests, ${CONNECTIONS} at a time`,
    value: wall / FLOOR,
    unit: 'x',
    bound: 2600 / FLOOR,
    detail: `${described}, arithmetic ${(FLOOR / 1000).toFixed(2)} s`,
  }
  if (!hf) return [floor]
  const peer: Figure = {
    what: `${FILES} small files / hf download`,
    value: wall / median(hf),
    unit: 'x',
    detail: `${described}, ${describeTimes('hf', hf)}`,
  }
  return [floor, peer]
}
