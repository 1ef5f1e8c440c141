import type { FileInfo } from '../index.js'
import type { Row } from './output.js'
import { formatSize } from './size.js'
import type { Column } from './table.js'

/** Columns of `fileRow`. */
export const FILE_COLUMNS: readonly Column[] = [
  { title: 'file', shrinks: true },
  { title: 'size', align: 'right' },
  { title: 'role', dispensable: 1 },
  { title: 'status' },
]

/** A file in a line. */
export function fileRow({ path, size, role, stored }: FileInfo): Row {
  return {
    cells: [path, formatSize(size), role, stored ? 'stored' : 'not stored'],
    style: stored ? 'green' : undefined,
  }
}
