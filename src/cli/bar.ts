import { formatClock } from './duration.js'
import { formatPart, formatPercent, formatSize } from './size.js'
import { pad, printable, truncate, truncatePath, widthOf } from './text.js'

const FULL = '\u2588'
const EMPTY = '\u2591'
/** Columns of a bar: a seventh of the line within these limits. */
const BAR = { part: 7, least: 6, most: 30 }
/** Columns of a name: what the others leave, within these limits. */
const NAME = { least: 12, most: 60 }
/** Columns that sizes, rate and time usually take. */
const FACTS = 43
const PERCENT = 4

/** What one line of progress shows. */
export interface Line {
  name: string
  /** Columns before the name. */
  indent?: number
  loaded: number
  total: number
  /** The most important last: the first are left out where there is no room. */
  facts: string[]
}

/**
 * `name [bar] 45%  facts` in fewer columns than the terminal has, so that no terminal wraps it. Where name, bar and facts
 * begin depends on the terminal alone: lines stand below each other.
 */
export function layoutLine({ name, indent = 0, loaded, total, facts }: Line, columns: number): string {
  const width = Math.max(columns - 1, 1)
  const barWidth = between(Math.floor(width / BAR.part), BAR)
  const nameWidth = between(width - barWidth - PERCENT - 2 - FACTS, NAME)
  const start = [
    ' '.repeat(indent) + pad(truncatePath(printable(name), nameWidth - indent), nameWidth - indent),
    drawBar(loaded, total, barWidth),
    formatPercent(loaded, total).padStart(PERCENT),
  ].join(' ')
  return truncate([start, ...factsThatFit(facts, width - widthOf(start))].join('  '), width)
}

const between = (value: number, { least, most }: { least: number; most: number }) =>
  Math.min(Math.max(value, least), most)

function factsThatFit(facts: readonly string[], room: number): readonly string[] {
  const width = facts.reduce((sum, fact) => sum + 2 + widthOf(fact), 0)
  return facts.length > 0 && width > room ? factsThatFit(facts.slice(1), room) : facts
}

function drawBar(loaded: number, total: number, width: number): string {
  const full = total > 0 ? between(Math.floor((loaded / total) * width), { least: 0, most: width }) : width
  return FULL.repeat(full) + EMPTY.repeat(width - full)
}

/** How much is there, how fast more comes, and how long the rest takes at that rate. */
export function describeRate(loaded: number, total: number, bytesPerSecond: number): string[] {
  const facts = [formatPart(loaded, total)]
  if (bytesPerSecond < 1 || loaded >= total) return facts
  const left = formatClock((total - loaded) / bytesPerSecond)
  return [...facts, `${formatSize(bytesPerSecond)}/s`, `${left} left`]
}
