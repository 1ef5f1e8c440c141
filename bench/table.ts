import { type Figure, isMissed, type Unit } from './figure.js'

const DIGITS: Record<Unit, number> = { x: 3, ms: 2, us: 1, MiB: 1, 's/GiB': 2, 'bytes/byte': 4 }
const HEAD = ['', 'what', 'measured', 'bound', '', 'from']

/** A figure as a row of cells. */
function cells(letter: string, figure: Figure): string[] {
  const { what, value, unit, bound, detail } = figure
  const judged = isMissed(figure) ? 'MISSED' : 'ok'
  return [
    letter,
    what,
    `${value.toFixed(DIGITS[unit])} ${unit}`,
    bound === undefined ? '' : `<= ${Number(bound.toFixed(3))} ${unit}`,
    bound === undefined ? '' : judged,
    detail,
  ]
}

/** Prints the figures of all measurements, aligned, with the bound of each beside it. */
export function printTable(measured: readonly { letter: string; figures: readonly Figure[] }[]): void {
  const rows = measured.flatMap(({ letter, figures }) => figures.map((figure) => cells(letter, figure)))
  const table = [HEAD, ...rows]
  const widths = HEAD.map((_, column) => Math.max(...table.map((row) => row[column]?.length ?? 0)))
  for (const row of table) {
    console.log(
      row
        .map((cell, column) => cell.padEnd(widths[column] ?? 0))
        .join('  ')
        .trimEnd(),
    )
  }
}
