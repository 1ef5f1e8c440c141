import type { Look, OpenParameters, OpenResult } from './child/open-view.js'
import { runProgram, runScript } from './child-process.js'
import { downloadInto } from './download.js'
import { type Figure, type Measurement, MIB } from './figure.js'
import { HAS_PROCESS_STATUS } from './process-status.js'
import { describeTimes, median } from './rounds.js'
import { largeModel } from './workplace.js'

const ROUNDS = 7
const GIBIBYTES = 10
const MODEL = largeModel(GIBIBYTES)

/** Names another Node to measure with as well: one of 22 or newer shows the whole file in one Buffer. */
const OTHER_NODE = 'MODEL_CACHE_BENCH_NODE'

interface Way {
  node: string
  version: string
  look: Look
}

/** Every round is a process of its own, so that its first time is a first time. */
export const largeView: Measurement = {
  letter: 'a',
  title: `opening a stored file of ${GIBIBYTES} GiB`,
  async measure(workplace) {
    const wanted = await ways()
    return workplace.inNewFolder(async (path) => {
      const { url: endpoint } = await workplace.hub(MODEL)
      await downloadInto(path, endpoint, MODEL)
      const place = { path, endpoint, repo: MODEL.repo, file: MODEL.path }
      const figures: Figure[] = []
      for (const way of wanted) figures.push(...(await measureWay(way, place)))
      return figures
    })
  },
}

async function measureWay(way: Way, place: Omit<OpenParameters, 'look'>): Promise<Figure[]> {
  const rounds: OpenResult[] = []
  for (let round = 0; round < ROUNDS; round += 1) {
    const parameters: OpenParameters = { ...place, look: way.look }
    const { result } = await runScript<OpenParameters, OpenResult>('open-view', parameters, way.node)
    rounds.push(result)
  }
  return figuresOf(way, rounds)
}

function figuresOf({ look, version }: Way, rounds: readonly OpenResult[]): Figure[] {
  const what = `getFile() + ${look} of ${GIBIBYTES} GiB`
  const first = rounds.map((round) => round.first)
  const collecting = rounds.map((round) => round.collecting)
  const again = rounds.map((round) => median(round.again))
  const memory = rounds.map((round) => round.anonymous / MIB)
  const detail = (text: string) => `Node ${version}, ${ROUNDS} processes: ${text}`
  const times: Figure[] = [
    {
      what: `${what}, first`,
      value: median(first),
      unit: 'ms',
      bound: 2,
      detail: detail(describeTimes('first', first)),
    },
    ...(look === 'subarray'
      ? []
      : [
          {
            what: `${what}, first, of that garbage collection`,
            value: median(collecting),
            unit: 'ms' as const,
            detail: detail('V8 collects garbage for each large external buffer'),
          },
        ]),
    {
      what: `${what}, again`,
      value: median(again) * 1000,
      unit: 'us',
      bound: 50,
      detail: detail(describeTimes('again', again)),
    },
  ]
  if (!HAS_PROCESS_STATUS) return times
  const most = `RssAnon, most ${Math.max(...memory).toFixed(1)}`
  return [
    ...times,
    { what: `${what}, new memory`, value: median(memory), unit: 'MiB', bound: 5, detail: detail(most) },
  ]
}

/** One Buffer where Node can have it so large; else what its users have instead. */
async function ways(): Promise<Way[]> {
  const other = process.env[OTHER_NODE]
  const nodes = [process.execPath, ...(other ? [other] : [])]
  const found: Way[] = []
  for (const node of nodes) {
    const script = `console.log(process.versions.node, require('buffer').constants.MAX_LENGTH)`
    const { output } = await runProgram(node, ['-e', script])
    const [version = '', limit] = output.trim().split(' ')
    const looks: Look[] = Number(limit) >= MODEL.size ? ['buffer'] : ['chunks', 'subarray']
    found.push(...looks.map((look) => ({ node, version, look })))
  }
  return found
}
