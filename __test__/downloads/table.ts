import { readFileSync } from 'node:fs'

/** What a row of docs/downloads.md states, and what its test measures. */
export interface Outcome {
  /** `the file`, `the listing`, or the error's code, with the status or the wait it tells of. */
  ends: string
  /** Bytes fetched again, until the file was complete. */
  again: string
  /** What is stored when the call has ended. */
  kept: string
}

const DOCUMENT = 'docs/downloads.md'

/** Names of the spec files that the document's sections name, in its order. */
export function readSpecs(): string[] {
  const named = readFileSync(DOCUMENT, 'utf8').matchAll(/^`__test__\/downloads\/([\w-]+)\.spec\.ts`/gm)
  return [...named].map(([, name]) => name ?? '')
}

/** The rows that are checked by a spec file. */
export function readRows(spec: string): Map<string, Outcome> {
  const sections = readFileSync(DOCUMENT, 'utf8').split(/^## /m)
  const section = sections.find((text) => text.includes(`\n\`__test__/downloads/${spec}.spec.ts\``)) ?? ''
  const rows = section
    .split('\n')
    .filter((line) => line.startsWith('| ') && !/^\| (---|the server)/.test(line))
  return new Map(rows.map(readRow))
}

function readRow(line: string): [string, Outcome] {
  const [title = '', ends = '', again = '', kept = ''] = line
    .slice(1, -1)
    .split('|')
    .map((cell) => cell.trim().replaceAll('`', ''))
  return [title, { ends, again, kept }]
}
