import { mkdir } from 'node:fs/promises'
import { runBench } from './cargo.js'
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
      const rounds = await runBench<Round>('store', [folder, String(GIB), String(ROUNDS)])
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
