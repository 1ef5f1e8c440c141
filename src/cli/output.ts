import { type Column, renderTable } from './table.js'
import { type Style, Terminal } from './terminal.js'
import { printable, widthOf, wrap } from './text.js'

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
    if (this.json) this.document(document)
    else print()
  }

  /** The one document of `--json`. */
  document(document: unknown): void {
    const lines = JSON.stringify(document, null, 2).split('\n').map(printable)
    this.stdout.stream.write(`${lines.join('\n')}\n`)
  }

  /** A line of data. */
  print(line: string, style?: Style): void {
    this.stdout.write(line, style)
  }

  /** The path of a file, in a line; exactly as it is where a program reads it. */
  path(path: string): void {
    if (this.stdout.stream.isTTY) this.print(path)
    else this.stdout.stream.write(`${path}\n`)
  }

  /** Rows of data. */
  table(columns: readonly Column[], rows: readonly Row[]): void {
    writeTable(this.stdout, columns, rows)
  }

  /** A remark for the person who watches; none with `--quiet` or `--json`. */
  note(line: string, style?: Style): void {
    if (!this.quiet && !this.json) this.#wrap(line, style)
  }

  /** A remark that ends with a command to copy: one that does not fit has a line of its own, which is never broken. */
  suggest(what: string, command: string, style?: Style): void {
    if (this.quiet || this.json) return
    const line = printable(`${what}: ${command}`)
    if (widthOf(line) <= this.stderr.columns) this.stderr.write(line, style)
    else {
      this.#wrap(`${what}:`, style)
      this.stderr.write(`  ${command}`, style)
    }
  }

  /** Rows of a remark. */
  noteTable(columns: readonly Column[], rows: readonly Row[]): void {
    if (!this.quiet && !this.json) writeTable(this.stderr, columns, rows)
  }

  /** What went wrong, said even with `--quiet`; and what to do about it, in lines that may be commands to copy. */
  complain(message: string, hints: readonly string[], style?: Style): void {
    this.#wrap(message, style)
    for (const hint of hints) this.stderr.write(`  ${hint}`)
  }

  #wrap(text: string, style: Style | undefined): void {
    for (const line of wrap(printable(text), this.stderr.columns)) this.stderr.write(line, style)
  }
}

function writeTable(terminal: Terminal, columns: readonly Column[], rows: readonly Row[]): void {
  const cells = rows.map((row) => row.cells.map(printable))
  const { head, lines } = renderTable(columns, cells, terminal.columns)
  terminal.write(head, 'dim')
  for (const [index, line] of lines.entries()) terminal.write(line, rows[index]?.style)
}

/**
 * Ends quietly when nobody reads any more (`| head`), with the status so far, and says so when the result cannot be written.
 * Nothing is left undone: results are written when the work is done.
 */
export function endWithReader(): void {
  process.stdout.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code === 'EPIPE') process.exit()
    const hints = ['What the command did is done; free space where its output goes, then ask again.']
    new Output({}).complain(`ERR_IO: the output could not be written: ${error.message}`, hints, 'red')
    process.exit(1)
  })
  // Remarks that nobody gets are no reason to end the work.
  process.stderr.on('error', () => {})
}
