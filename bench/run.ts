import type { Figure, Measurement } from './figure.js'
import { describeMachine } from './machine.js'
import { printTable } from './table.js'
import { Workplace } from './workplace.js'

/** Runs the measurements of these letters, or all, and prints one table of their figures. */
export async function runMeasurements(
  measurements: readonly Measurement[],
  letters: readonly string[],
): Promise<void> {
  const chosen = choose(measurements, letters)
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
function choose(measurements: readonly Measurement[], letters: readonly string[]): readonly Measurement[] {
  const known = measurements.map(({ letter }) => letter)
  const unknown = letters.filter((letter) => !known.includes(letter))
  if (unknown.length > 0) throw new Error(`there is no ${unknown.join(', ')}: choose from ${known.join(' ')}`)
  return letters.length === 0 ? measurements : measurements.filter(({ letter }) => letters.includes(letter))
}
