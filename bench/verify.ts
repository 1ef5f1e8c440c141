import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import { runBench } from './cargo.js'
import { GIB, type Measurement } from './figure.js'
import { describeTimes, median, ratios } from './rounds.js'

const ROUNDS = 9

/** What crates/storage/benches/verify.rs prints for each round. */
interface Round {
  /** Milliseconds of one CRC32C pass over the mapped data file. */
  plain: number
  /** Milliseconds of a check of the same bytes. */
  verify: number
  /** Threads of either. */
  threads: number
}

/** The check alone, without JavaScript: a Rust program, so that both sides use the same checksum. */
export const verify: Measurement = {
  letter: 'k',
  title: 'checking 1 GiB in the page cache, against one CRC32C pass over the mapped data file',
  measure(workplace) {
    return workplace.inNewFolder(async (folder) => {
      await mkdir(folder)
      const rounds = await runBench<Round>('verify', [join(folder, 'verify'), String(GIB), String(ROUNDS)])
      const [check, plain] = [rounds.map((round) => round.verify), rounds.map((round) => round.plain)]
      const threads = `${rounds[0]?.threads} threads each`
      return [
        {
          what: 'verify of 1 GiB / a CRC32C pass over a mapping',
          value: median(ratios(check, plain)),
          unit: 'x',
          bound: 1.25,
          detail: `${describeTimes('verify', check)}, ${describeTimes('plain', plain)}, ${threads}`,
        },
      ]
    })
  },
}
