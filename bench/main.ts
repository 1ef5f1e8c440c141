// npm run bench               every measurement (about twelve minutes, 12 GiB of disk)
// npm run bench -- a d        only these
import { downloadSpeed } from './download.js'
import { downloadMemory } from './download-memory.js'
import { faults } from './faults.js'
import type { Figure, Measurement } from './figure.js'
import { importTime } from './import-time.js'
import { largeView } from './large-view.js'
import { describeMachine } from './machine.js'
import { scan } from './scan.js'
import { smallFiles } from './small-files.js'
import { store } from './store.js'
import { printTable } from './table.js'
import { throttledDownload } from './throttled-download.js'
import { Workplace } from './workplace.js'
import { writeAmplification } from './written-bytes.js'

const MEASUREMENTS: readonly Measurement[] = [
  largeView,
  scan,
  store,
  downloadSpeed,
  throttledDownload,
  downloadMemory,
  writeAmplification,
  importTime,
  smallFiles,
  faults,
]

async function main(letters: readonly string[]): Promise<void> {
  const chosen = choose(letters)
  await using workplace = await Workplace.create()
  process.once('SIGINT', () => {
    workplace.removeNow()
    process.exit(130)
  })
  for (const line of describeMachine(workplace.folder)) console.log(line)
  console.log()
  const measured: { letter: string; figures: Figure[] }[] = []
  for (const { letter, title, measure } of chosen) {
    console.error(`(${letter}) ${title}`)
    measured.push({ letter, figures: await measure(workplace) })
  }
  console.error()
  printTable(measured)
}

/** The measurements of these letters, or all. */
function choose(letters: readonly string[]): readonly Measurement[] {
  const known = MEASUREMENTS.map(({ letter }) => letter)
  const unknown = letters.filter((letter) => !known.includes(letter))
  if (unknown.length > 0) throw new Error(`there is no ${unknown.join(', ')}: choose from ${known.join(' ')}`)
  return letters.length === 0 ? MEASUREMENTS : MEASUREMENTS.filter(({ letter }) => letters.includes(letter))
}

await main(process.argv.slice(2))
