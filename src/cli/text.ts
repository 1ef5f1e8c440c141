import stringWidth from 'string-width'

const ELLIPSIS = '\u2026'

/** What moves the cursor, colours, turns the direction of letters or ends a line; none of it belongs to a text. */
const UNPRINTABLE = /[\p{Cc}\p{Bidi_Control}\u2028\u2029]/gu

/** A text with `\u001b` for each character that a terminal would obey. In a JSON document that means the same. */
export function printable(text: string): string {
  return text.replace(UNPRINTABLE, (found) => `\\u${found.charCodeAt(0).toString(16).padStart(4, '0')}`)
}

/** Columns that a text takes on a terminal. */
export const widthOf = (text: string): number => stringWidth(text)

/** Fills a text up with spaces. */
export function pad(text: string, width: number, align: 'left' | 'right' = 'left'): string {
  const space = ' '.repeat(Math.max(width - widthOf(text), 0))
  return align === 'left' ? text + space : space + text
}

/** Shortens a text in its middle, where paths and names differ least. */
export function truncate(text: string, width: number): string {
  if (widthOf(text) <= width) return text
  if (width <= 1) return width === 1 ? ELLIPSIS : ''
  const graphemes = [...new Intl.Segmenter().segment(text)].map(({ segment }) => segment)
  const tail = take(graphemes.toReversed(), Math.floor((width - 1) / 2)).toReversed()
  const head = take(graphemes, width - 1 - widthOf(tail.join('')))
  return head.join('') + ELLIPSIS + tail.join('')
}

/** Shortens a path by its leading folders, and then in its middle. */
export function truncatePath(path: string, width: number): string {
  const folders = path.split('/')
  for (let left = folders.length; left > 0; left -= 1) {
    const tail = folders.slice(folders.length - left).join('/')
    const short = left < folders.length ? `${ELLIPSIS}/${tail}` : tail
    if (widthOf(short) <= width) return short
  }
  return truncate(path, width)
}

/** As many graphemes as fit. */
function take(graphemes: string[], width: number): string[] {
  const taken: string[] = []
  let used = 0
  for (const grapheme of graphemes) {
    used += widthOf(grapheme)
    if (used > width) break
    taken.push(grapheme)
  }
  return taken
}

/** Breaks a text between words into lines of at most `width` columns; a longer word has a line of its own. */
export function wrap(text: string, width: number): string[] {
  const lines: string[] = []
  for (const word of text.split(' ')) {
    const line = lines.at(-1)
    if (line !== undefined && widthOf(line) + 1 + widthOf(word) <= width)
      lines[lines.length - 1] = `${line} ${word}`
    else lines.push(word)
  }
  return lines
}

/** `1 file`, `2 files`. */
export function count(number: number, noun: string, plural = `${noun}s`): string {
  return `${number} ${number === 1 ? noun : plural}`
}

/** The known name that differs from the one given in the fewest letters, if these are few. */
export function nearest(given: string, known: Iterable<string>): string | undefined {
  const limit = Math.max(1, Math.floor(given.length / 3))
  const near = [...known]
    .map((name) => ({ name, distance: distanceOf(given.toLowerCase(), name.toLowerCase()) }))
    .filter(({ distance }) => distance <= limit)
  return near.sort((a, b) => a.distance - b.distance)[0]?.name
}

/** Levenshtein's distance: letters to insert, remove or replace. */
function distanceOf(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, column) => column)
  for (const [index, letter] of [...a].entries()) {
    const next = [index + 1]
    for (let column = 1; column < row.length; column += 1) {
      const replaced = (row[column - 1] ?? 0) + (letter === b[column - 1] ? 0 : 1)
      next.push(Math.min(replaced, (row[column] ?? 0) + 1, (next[column - 1] ?? 0) + 1))
    }
    row = next
  }
  return row.at(-1) ?? 0
}
