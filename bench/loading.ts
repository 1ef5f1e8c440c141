import { join } from 'node:path'
import { ModelCache } from '@tabagent/model-cache'
import { HubProcess } from '../local-hub/index.js'
import { ROOT } from './child-process.js'
import { type Figure, MIB } from './figure.js'
import { describeTimes, interleave, median, ratios } from './rounds.js'

/** The trained model of the example, 90 MB in float32. */
export const MODEL = {
  repo: 'sentence-transformers/all-MiniLM-L6-v2',
  path: 'onnx/model.onnx',
  hub: join(ROOT, '.work', 'hub'),
}

/** Fills a store with files of the model, and returns the endpoint they are known by. */
export async function fill(path: string, files: readonly string[]): Promise<string> {
  await using hub = await HubProcess.start(MODEL.hub, ['--unlimited'])
  await using cache = await ModelCache.open({ path, endpoint: hub.url, noProxy: '*' })
  for (const file of files) await cache.downloadFile(MODEL.repo, file)
  return hub.url
}

/** What loading a model cost a process. */
export interface Loaded {
  /** Milliseconds. */
  time: number
  /** Bytes of memory that is the process's own. */
  anonymous: number
  /** Milliseconds to open the store, where they are not in `time`. */
  opening?: number
}

/** The most that the store may take, as parts of what it is compared with; none where nothing is promised. */
export interface Bounds {
  time?: number
  anonymous: number
}

const ROUNDS = 7

/** Loads the model both ways in turn, each time in a process of its own, after one process each that does not count. */
export async function compare(
  what: string,
  bounds: Bounds,
  ways: Record<'store' | 'own', () => Promise<Loaded>>,
): Promise<Figure[]> {
  await interleave(1, ways)
  const { store, own } = await interleave(ROUNDS, ways)
  const times = (loads: readonly Loaded[]) => loads.map(({ time }) => time)
  const sizes = (loads: readonly Loaded[]) => loads.map(({ anonymous }) => anonymous)
  const openings = store.flatMap(({ opening }) => opening ?? [])
  const opened = openings.length > 0 ? [describeTimes('opening the store', openings)] : []
  const detail = [describeTimes('store', times(store)), describeTimes('own', times(own)), ...opened].join(
    ', ',
  )
  return [
    {
      what: `${what}, time`,
      ...ratio(times(store), times(own)),
      ...(bounds.time !== undefined && { bound: bounds.time }),
      detail,
    },
    {
      what: `${what}, memory of its own`,
      ...ratio(sizes(store), sizes(own)),
      bound: bounds.anonymous,
      detail: `store ${inMib(sizes(store))}, own ${inMib(sizes(own))}`,
    },
  ]
}

function ratio(ours: readonly number[], theirs: readonly number[]): { value: number; unit: 'x' } {
  return { value: median(ratios(ours, theirs)), unit: 'x' }
}

function inMib(sizes: readonly number[]): string {
  return `${(median(sizes) / MIB).toFixed(1)} MiB`
}
