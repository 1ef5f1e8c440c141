import { type Column, renderTable } from './table.js'
import { type Style, Terminal } from './terminal.js'
import { widthOf, wrap } from './text.js'

/** What a table shows in one line: its cells, and how the line is coloured. */
export interface Row {
  cells: string[]
  style?: Style | undefined
}

/** Where results and remarks go: data to stdout, everything else to stderr. */
export class Output {
  readonly stdout = new Terminal(process.stdout)
  readonly stderr = new Terminal(process.stderr)
  readonly json: boolean
  readonly quiet: boolean

  constructor({ json = false, quiet = false }: { json?: boolean; quiet?: boolean }) {
    this.json = json
    this.quiet = quiet
  }

  /** The result: the document with `--json`, else what `print` writes. */
  result(document: unknown, print: () => void): void {
    if (this.json) this.print(JSON.stringify(document, null, 2))
    else print()
  }

  /** A line of data. */
  print(line: string, style?: Style): void {
    this.stdout.stream.write(`${this.stdout.paint(line, style)}\n`)
  }

  /** Rows of data. */
  table(columns: readonly Column[], rows: readonly Row[]): void {
    for (const line of paintTable(this.stdout, columns, rows)) this.print(line)
  }

  /** A remark for the person who watches; none with `--quiet` or `--json`. */
  note(line: string, style?: Style): void {
    if (!this.quiet && !this.json) this.#write(wrap(line, this.stderr.columns).join('\n'), style)
  }

  /** A remark that ends with a command to copy: one that does not fit has a line of its own, which is never broken. */
  suggest(what: string, command: string, style?: Style): void {
    if (this.quiet || this.json) return
    const fits = widthOf(`${what}: ${command}`) <= this.stderr.columns
    this.#write(`${wrap(`${what}:`, this.stderr.columns).join('\n')}${fits ? ' ' : '\n  '}${command}`, style)
  }

  /** Rows of a remark. */
  noteTable(columns: readonly Column[], rows: readonly Row[]): void {
    if (this.quiet || this.json) return
    for (const line of paintTable(this.stderr, columns, rows)) this.#write(line, undefined)
  }

  /** What went wrong, said even with `--quiet`; and what to do about it, in lines that may be commands to copy. */
  complain(message: string, hints: readonly string[], style?: Style): void {
    this.#write(wrap(message, this.stderr.columns).join('\n'), style)
    for (const hint of hints) this.#write(`  ${hint}`, undefined)
  }

  #write(line: string, style: Style | undefined): void {
    this.stderr.stream.write(`${this.stderr.paint(line, style)}\n`)
  }
}

function paintTable(terminal: Terminal, columns: readonly Column[], rows: readonly Row[]): string[] {
  const cells = rows.map((row) => row.cells)
  const { head, lines } = renderTable(columns, cells, terminal.columns)
  return [
    terminal.paint(head, 'dim'),
    ...lines.map((line, index) => terminal.paint(line, rows[index]?.style)),
  ]
}

/**
 * Ends quietly when nobody reads any more (`| head`), with the status so far. Nothing is left undone: results are written
 * when the work is done.
 */
export function endWithReader(): void {
  process.stdout.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code !== 'EPIPE') throw error
    process.exit()
  })
  process.stderr.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code !== 'EPIPE') throw error
  })
}
