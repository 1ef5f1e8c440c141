import { download } from './download.js'
import { type Measurement, MIB } from './figure.js'
import { describeTimes, median } from './rounds.js'
import { MODEL } from './workplace.js'

const BYTES_PER_SECOND = 10 * MIB

/** Where each connection is limited, several at once pay. curl's time is arithmetic (102.4 s), so once is enough. */
export const throttledDownload: Measurement = {
  letter: 'e',
  title: 'downloading 1 GiB at 10 MiB/s per connection, against curl -o (two minutes)',
  async measure(workplace) {
    const hub = await workplace.hub(MODEL, BYTES_PER_SECOND)
    const first = await download(workplace, hub.url, MODEL)
    const curl = await workplace.curl(hub, MODEL)
    const second = await download(workplace, hub.url, MODEL)
    const walls = [first.wall, second.wall]
    return [
      {
        what: 'download 1 GiB at 10 MiB/s per connection / curl -o',
        value: median(walls) / curl,
        unit: 'x',
        bound: 1 / 6,
        detail: `${describeTimes('ours', walls)}, ${describeTimes('curl', [curl])}`,
      },
    ]
  },
}
