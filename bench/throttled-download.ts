import { download } from './download.js'
import { type Figure, type Measurement, MIB } from './figure.js'
import { aria2, hasPeer } from './peers.js'
import { describeTimes, median, ratios } from './rounds.js'
import { MODEL, type Model } from './workplace.js'

const BYTES_PER_SECOND = 10 * MIB
const ROUNDS = 3

/** A quarter of the other: how soon the connections are there counts, too. */
const QUARTER: Model = { repo: 'bench/random-256-mib', path: 'model.gguf', size: 256 * MIB, sparse: false }

/** Where each connection is limited, several at once pay. curl's time is arithmetic (102.4 s), so once is enough. */
export const throttledDownload: Measurement = {
  letter: 'e',
  title:
    'downloading 1 GiB and 256 MiB at 10 MiB/s per connection, against curl -o and aria2 -x8 (three minutes)',
  async measure(workplace) {
    const hub = await workplace.hub(MODEL, BYTES_PER_SECOND)
    const whole = await download(workplace, hub.url, MODEL)
    const curlOfWhole = await workplace.curl(hub, MODEL)
    await workplace.hub(QUARTER, BYTES_PER_SECOND)
    const curlOfQuarter = await workplace.curl(hub, QUARTER)
    const withAria2 = hasPeer('aria2c')
    const [quarters, theirs]: [number[], number[]] = [[], []]
    for (let round = 0; round < ROUNDS; round += 1) {
      quarters.push((await download(workplace, hub.url, QUARTER)).wall)
      if (withAria2) theirs.push(await aria2(workplace, hub.url, QUARTER))
    }
    return [
      againstCurl('1 GiB', [whole.wall], curlOfWhole, 1 / 6),
      againstCurl('256 MiB', quarters, curlOfQuarter, 1 / 7),
      ...(withAria2 ? [againstAria2(quarters, theirs)] : []),
    ]
  },
}

function againstCurl(size: string, ours: readonly number[], curl: number, bound: number): Figure {
  return {
    what: `download ${size} at 10 MiB/s per connection / curl -o`,
    value: median(ours) / curl,
    unit: 'x',
    bound,
    detail: `${describeTimes('ours', ours)}, ${describeTimes('curl', [curl])}`,
  }
}

function againstAria2(ours: readonly number[], theirs: readonly number[]): Figure {
  return {
    what: 'download 256 MiB at 10 MiB/s per connection / aria2 -x8',
    value: median(ratios(ours, theirs)),
    unit: 'x',
    bound: 1,
    detail: `${describeTimes('ours', ours)}, ${describeTimes('aria2', theirs)}; it neither verifies nor syncs`,
  }
}
