import { deviceBytes, settleDisk } from './disk.js'
import { download } from './download.js'
import type { Figure, Measurement } from './figure.js'
import { HAS_PROCESS_STATUS } from './process-status.js'
import { median } from './rounds.js'
import { MODEL, type Workplace } from './workplace.js'

const ROUNDS = 3

interface Written {
  byProcess: number
  toDevice: number | undefined
}

/** What the kernel counts for the process, and beside it what arrives at the disk: that of all processes, and of the journal. */
export const writeAmplification: Measurement = {
  letter: 'g',
  title: 'bytes written to disk per byte stored',
  async measure(workplace) {
    if (!HAS_PROCESS_STATUS) return []
    const rounds: Written[] = []
    for (let round = 0; round < ROUNDS; round += 1) rounds.push(await measureOnce(workplace))
    return [processFigure(rounds), ...deviceFigure(rounds)]
  },
}

async function measureOnce(workplace: Workplace): Promise<Written> {
  const hub = await workplace.hub(MODEL)
  await settleDisk()
  const before = deviceBytes(workplace.folder)
  const { written } = await download(workplace, hub.url, MODEL)
  const after = deviceBytes(workplace.folder)
  const toDevice = before === undefined || after === undefined ? undefined : (after - before) / MODEL.size
  return { byProcess: written / MODEL.size, toDevice }
}

function processFigure(rounds: readonly Written[]): Figure {
  return {
    what: 'bytes written / bytes stored, by the process',
    value: median(rounds.map(({ byProcess }) => byProcess)),
    unit: 'bytes/byte',
    bound: 1.02,
    detail: `write_bytes of /proc/self/io from open() to close(), ${ROUNDS} rounds`,
  }
}

/** Others' writes only add to it: the least of the rounds is the nearest to our own. */
function deviceFigure(rounds: readonly Written[]): Figure[] {
  const ratios = rounds.map(({ toDevice }) => toDevice).filter((ratio) => ratio !== undefined)
  if (ratios.length === 0) return []
  return [
    {
      what: 'bytes arriving at the disk / bytes stored',
      value: Math.min(...ratios),
      unit: 'bytes/byte',
      detail: 'all processes and the file system journal, sync before and after, least of the rounds',
    },
  ]
}
