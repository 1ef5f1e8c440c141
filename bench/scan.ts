import { join } from 'node:path'
import type { ScanParameters, ScanResult, Source } from './child/scan-bytes.js'
import { ROOT, runProgram, runScript } from './child-process.js'
import { downloadInto } from './download.js'
import type { Figure, Measurement } from './figure.js'
import { describeTimes, interleave, median, ratios, type Samples } from './rounds.js'
import { MODEL, type Workplace } from './workplace.js'

const ROUNDS = 9
const SOURCES: readonly Source[] = ['view', 'mmap', 'readFile']

/** The same bytes, in the page cache all the time: once as the plain file that the Hub serves, once in the store. */
export const scan: Measurement = {
  letter: 'b',
  title: 'reading 1 GiB from the first byte to the last, against plain mmap and fs.readFile',
  measure(workplace) {
    return workplace.inNewFolder(async (path) => {
      const addon = await compileAddon(workplace)
      const { url: endpoint } = await workplace.hub(MODEL)
      await downloadInto(path, endpoint, MODEL)
      const plain = await workplace.modelFile(MODEL)
      const place = { plain, addon, path, endpoint, repo: MODEL.repo, file: MODEL.path }
      for (const source of SOURCES) await scanOnce(source, place)
      return figuresOf(await scanInTurn(place))
    })
  },
}

type Place = Omit<ScanParameters, 'source'>

async function scanOnce(source: Source, place: Place): Promise<ScanResult> {
  const { result } = await runScript<ScanParameters, ScanResult>('scan-bytes', { ...place, source })
  return result
}

async function scanInTurn(place: Place): Promise<Samples<Source, ScanResult>> {
  const samples = await interleave(ROUNDS, {
    view: () => scanOnce('view', place),
    mmap: () => scanOnce('mmap', place),
    readFile: () => scanOnce('readFile', place),
  })
  const sums = new Set(Object.values(samples).flatMap((results) => results.map(({ sum }) => sum)))
  if (sums.size !== 1)
    throw new Error('the view, the plain file and the map of it do not have the same bytes')
  return samples
}

function figuresOf(samples: Samples<Source, ScanResult>): Figure[] {
  const times = (source: Source, which: 'first' | 'again') => samples[source].map((result) => result[which])
  const figure = (what: string, which: 'first' | 'again', other: Source): Figure => ({
    what,
    value: median(ratios(times('view', which), times(other, which))),
    unit: 'x',
    detail: `${describeTimes('view', times('view', which))}, ${describeTimes(other, times(other, which))}`,
  })
  return [
    { ...figure('getFile() + sum of 1 GiB / plain mmap + sum', 'first', 'mmap'), bound: 1.05 },
    { ...figure('second sum over the view / over the plain mmap', 'again', 'mmap'), bound: 1.05 },
    figure('getFile() + sum of 1 GiB / fs.readFile + sum', 'first', 'readFile'),
  ]
}

async function compileAddon(workplace: Workplace): Promise<string> {
  const addon = join(workplace.folder, 'plain-mmap.node')
  const source = join(ROOT, 'bench', 'plain-mmap', 'mmap.c')
  const headers = join(ROOT, 'node_modules', 'node-api-headers', 'include')
  const linking = process.platform === 'darwin' ? ['-undefined', 'dynamic_lookup'] : []
  await runProgram('cc', ['-O2', '-shared', '-fPIC', ...linking, `-I${headers}`, '-o', addon, source])
  return addon
}
