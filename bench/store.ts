import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import { ROOT, runProgram } from './child-process.js'
import { GIB, type Measurement } from './figure.js'
import { describeTimes, median, ratios } from './rounds.js'

const ROUNDS = 7

/** What crates/storage/benches/store.rs prints for each round. */
interface Round {
  /** Milliseconds of write and fdatasync of a plain file. */
  plain: number
  /** Milliseconds of a blob in the store, from its lease to its publication. */
  blob: number
}

/** The write path alone, without network or JavaScript: a Rust program, because no call of the public API stores local bytes. */
export const store: Measurement = {
  letter: 'c',
  title: 'storing 1 GiB, hashed and durable, against write + fdatasync of a plain file',
  measure(workplace) {
    return workplace.inNewFolder(async (folder) => {
      await mkdir(folder)
      const rounds = await runBench(folder)
      const [blob, plain] = [rounds.map((round) => round.blob), rounds.map((round) => round.plain)]
      return [
        {
          what: 'storing 1 GiB / write + fdatasync',
          value: median(ratios(blob, plain)),
          unit: 'x',
          bound: 1.1,
          detail: `${describeTimes('store', blob)}, ${describeTimes('plain', plain)}`,
        },
      ]
    })
  },
}

async function runBench(folder: string): Promise<Round[]> {
  const cargo = [join(ROOT, 'scripts', 'cargo.mjs'), 'bench', '-p', 'tabagent-storage', '--bench', 'store']
  const size = [folder, String(GIB), String(ROUNDS)]
  const { output } = await runProgram(process.execPath, [...cargo, '--', ...size])
  const lines = output.split('\n').filter((line) => line.startsWith('{'))
  return lines.map((line) => JSON.parse(line) as Round)
}
