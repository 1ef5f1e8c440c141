import type { FileInfo, Manifest, Quant } from '../index.js'
import type { Row } from './output.js'
import { formatPercent, formatSize } from './size.js'
import type { Column } from './table.js'
import type { Style } from './terminal.js'

/** Columns of `quantRow`. */
export const QUANT_COLUMNS: readonly Column[] = [
  { title: 'quant', shrinks: true },
  { title: 'format', dispensable: 2 },
  { title: 'size', align: 'right' },
  { title: 'status' },
  { title: 'files', shrinks: true, dispensable: 1 },
]

const STYLES: Partial<Record<Quant['status'], Style>> = {
  downloaded: 'green',
  failed: 'red',
  downloading: 'yellow',
}

/** A quant in a line: what it is, how much of it is stored, and its own files. */
export function quantRow(quant: Quant, manifest: Manifest): Row {
  const own = ownFiles(quant, manifest)
  const [first, ...more] = own.length > 0 ? own : quant.files
  const files = `${first?.path ?? ''}${more.length > 0 ? ` + ${more.length} more` : ''}`
  return {
    cells: [quant.name, quant.format, formatSize(quant.size), statusOf(quant), files],
    style: STYLES[quant.status],
  }
}

/** The status in words of the command line. */
export function statusOf(quant: Quant): string {
  const { status, downloaded, size, error } = quant
  if (status === 'downloaded') return 'stored'
  if (status === 'downloading') return `downloading, ${formatPercent(downloaded, size)}`
  const part = partOf(quant) > 0 ? `${formatPercent(downloaded, size)} stored` : 'not stored'
  if (status !== 'failed') return part
  return error === undefined ? `failed, ${part}` : `failed (${error.code}), ${part}`
}

/** Stored bytes of files that are not complete: what an interrupted download left. */
function partialBytes({ files, downloaded }: Quant): number {
  return downloaded - sizeOf(files.filter((file) => file.stored))
}

/** Stored bytes that make the quant partly there: of an interrupted download, or of its weights. */
function partOf(quant: Quant): number {
  return partialBytes(quant) + sizeOf(quant.files.filter((file) => file.stored && file.role === 'weights'))
}

/** Whether anything of the quant is here or comes, beside what it shares with others. */
export function isHere(quant: Quant): boolean {
  return quant.status === 'downloading' || quant.status === 'downloaded' || partOf(quant) > 0
}

/** The files that no other quant of the repository needs too. */
function ownFiles(quant: Quant, manifest: Manifest): FileInfo[] {
  const shared = new Set(manifest.sharedFiles.map(({ path }) => path))
  return quant.files.filter(({ path }) => !shared.has(path))
}

/** The quant of a name in any case. */
export function findQuant(manifest: Manifest, name: string): Quant | undefined {
  return Object.values(manifest.quants).find((quant) => quant.name.toLowerCase() === name.toLowerCase())
}

/** Bytes of files. */
export function sizeOf(files: readonly FileInfo[]): number {
  return files.reduce((sum, { size }) => sum + size, 0)
}
