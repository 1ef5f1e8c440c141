import { download } from './download.js'
import { type Figure, GIB, type Measurement, MIB } from './figure.js'
import { HAS_PROCESS_STATUS } from './process-status.js'
import { median } from './rounds.js'
import { largeModel, MODEL, type Model, type Workplace } from './workplace.js'

/** The peak must not depend on the size, so a file ten times as large is measured, too. */
export const downloadMemory: Measurement = {
  letter: 'f',
  title: 'peak memory of a download over the idle process',
  async measure(workplace) {
    if (!HAS_PROCESS_STATUS) return []
    const small = await peaks(workplace, MODEL, 3)
    return [...small, ...(await peaks(workplace, largeModel(10), 1))]
  },
}

async function peaks(workplace: Workplace, model: Model, rounds: number): Promise<Figure[]> {
  const hub = await workplace.hub(model)
  const growths: { peak: number; anonymous: number }[] = []
  for (let round = 0; round < rounds; round += 1) {
    const { peakGrowth, anonymousGrowth } = await download(workplace, hub.url, model)
    growths.push({ peak: peakGrowth / MIB, anonymous: anonymousGrowth / MIB })
  }
  const peak = growths.map((growth) => growth.peak)
  const most = Math.max(...peak).toFixed(1)
  const anonymous = median(growths.map((growth) => growth.anonymous)).toFixed(1)
  return [
    {
      what: `peak memory of downloading ${model.size / GIB} GiB, over idle`,
      value: median(peak),
      unit: 'MiB',
      bound: 32,
      detail: `VmHWM - VmRSS before, rounds: ${rounds}, most ${most}; RssAnon afterwards ${anonymous} more`,
    },
  ]
}
