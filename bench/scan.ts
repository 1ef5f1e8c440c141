import { join } from 'node:path'
import type { ScanParameters, ScanResult } from './child/scan-bytes.js'
import { ROOT, runProgram, runScript } from './child-process.js'
import { downloadInto } from './download.js'
import type { Figure, Measurement } from './figure.js'
import { describeTimes, median, ratios } from './rounds.js'
import { MODEL, type Workplace } from './workplace.js'

const ROUNDS = 9

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
      const parameters = { plain, addon, path, endpoint, repo: MODEL.repo, file: MODEL.path }
      await scanOnce(parameters)
      const rounds: ScanResult[] = []
      for (let round = 0; round < ROUNDS; round += 1) rounds.push(await scanOnce(parameters))
      return figuresOf(rounds)
    })
  },
}

/** One process, which sums all sources piece by piece in turn. */
async function scanOnce(parameters: ScanParameters): Promise<ScanResult> {
  return (await runScript<ScanParameters, ScanResult>('scan-bytes', parameters)).result
}

function figuresOf(rounds: readonly ScanResult[]): Figure[] {
  const first = (source: keyof ScanResult['first']) => rounds.map((round) => round.first[source])
  const again = (source: keyof ScanResult['again']) => rounds.map((round) => round.again[source])
  return [
    {
      what: 'getFile() + sum of 1 GiB / plain mmap + sum',
      ...compare(first('view'), 'plain mmap', first('mmap')),
      bound: 1.05,
    },
    {
      what: 'second sum of the view / of the plain mmap',
      ...compare(again('view'), 'plain mmap', again('mmap')),
      bound: 1.05,
    },
    {
      what: 'getFile() + sum of 1 GiB / fs.readFile + sum',
      ...compare(first('view'), 'readFile', first('readFile')),
    },
  ]
}

function compare(view: number[], name: string, other: number[]): Omit<Figure, 'what'> {
  const detail = `${describeTimes('view', view)}, ${describeTimes(name, other)}`
  return { value: median(ratios(view, other)), unit: 'x', detail }
}

async function compileAddon(workplace: Workplace): Promise<string> {
  const addon = join(workplace.folder, 'plain-mmap.node')
  const source = join(ROOT, 'bench', 'plain-mmap', 'mmap.c')
  const headers = join(ROOT, 'node_modules', 'node-api-headers', 'include')
  const linking = process.platform === 'darwin' ? ['-undefined', 'dynamic_lookup'] : []
  await runProgram('cc', ['-O3', '-shared', '-fPIC', ...linking, `-I${headers}`, '-o', addon, source])
  return addon
}
