import { pad, truncate, widthOf } from './text.js'

/** One column of a table. */
export interface Column {
  title: string
  align?: 'right'
  /** May become narrower than its cells where the table does not fit: cells are shortened in the middle. */
  shrinks?: boolean
  /** Left out where the table still does not fit, the lowest number first. */
  dispensable?: number
}

const GAP = '  '
/** A column that shrinks stays at least this wide. */
const LEAST = 8

interface Placed extends Column {
  index: number
  width: number
}

/** Lays out rows under their titles, in at most `limit` columns of a terminal where one is given. */
export function renderTable(
  columns: readonly Column[],
  rows: readonly string[][],
  limit = Infinity,
): { head: string; lines: string[] } {
  const placed = narrow(measure(columns, rows), limit)
  const line = (cells: readonly string[]) =>
    placed
      .map(({ index, width, align }) => pad(truncate(cells[index] ?? '', width), width, align))
      .join(GAP)
      .trimEnd()
  return { head: line(columns.map(({ title }) => title.toUpperCase())), lines: rows.map(line) }
}

function measure(columns: readonly Column[], rows: readonly string[][]): Placed[] {
  return columns.map((column, index) => {
    const widths = [column.title, ...rows.map((row) => row[index] ?? '')].map(widthOf)
    return { ...column, index, width: widths.reduce((most, width) => Math.max(most, width), 0) }
  })
}

function narrow(columns: Placed[], limit: number): Placed[] {
  const over = total(columns) - limit
  if (over <= 0) return columns
  const spare = columns.reduce((sum, column) => sum + spareOf(column), 0)
  const [first] = columns
    .filter(({ dispensable }) => dispensable !== undefined)
    .sort((a, b) => (a.dispensable ?? 0) - (b.dispensable ?? 0))
  if (spare < over && first) {
    return narrow(
      columns.filter((column) => column !== first),
      limit,
    )
  }
  return shrink(columns, Math.min(over, spare))
}

const total = (columns: Placed[]) =>
  columns.reduce((sum, { width }) => sum + width, GAP.length * (columns.length - 1))

const spareOf = ({ shrinks, width }: Placed) => (shrinks ? Math.max(width - LEAST, 0) : 0)

/** Takes from the widest that shrinks, one by one. */
function shrink(columns: Placed[], over: number): Placed[] {
  const shrunk = columns.map((column) => ({ ...column }))
  for (let left = over; left > 0; left -= 1) {
    const [widest] = shrunk.filter((column) => spareOf(column) > 0).sort((a, b) => b.width - a.width)
    if (widest) widest.width -= 1
  }
  return shrunk
}
