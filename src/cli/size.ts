import prettyBytes from 'pretty-bytes'

/** Bytes as people read them, in the decimal units of the Hub: `1.2 GB`. */
export function formatSize(bytes: number): string {
  return prettyBytes(bytes, { maximumFractionDigits: 1 })
}

/** How much of something is there: `0.4 of 1.2 GB`, or with both units where they differ. */
export function formatPart(part: number, whole: number): string {
  const [have, all] = [formatSize(part), formatSize(whole)]
  const unit = all.slice(all.indexOf(' '))
  return `${have.endsWith(unit) ? have.slice(0, -unit.length) : have} of ${all}`
}

/** Whole percents, rounded down: 100 % is said of what is complete only. */
export function formatPercent(part: number, whole: number): string {
  const percent = whole > 0 ? Math.floor((part / whole) * 100) : 100
  return `${Math.min(Math.max(percent, 0), 100)}%`
}

const POWERS = ['', 'k', 'm', 'g', 't', 'p']

/** Reads `50GB`, `500 MiB`, `1.5TB` or a number of bytes; undefined for anything else. A size is at least one byte. */
export function parseSize(text: string): number | undefined {
  const [, number, prefix = '', binary] = /^(\d+(?:\.\d+)?)\s*([kmgtp]?)(i?)b?$/i.exec(text.trim()) ?? []
  if (number === undefined || (binary && !prefix)) return undefined
  const bytes = Math.round(Number(number) * (binary ? 1024 : 1000) ** POWERS.indexOf(prefix.toLowerCase()))
  return bytes >= 1 && Number.isSafeInteger(bytes) ? bytes : undefined
}
