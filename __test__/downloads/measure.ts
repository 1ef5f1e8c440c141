import type { RequestRecord } from '../../local-hub/index.js'

/** Whether a request was answered with bytes of a file. */
export function isData({ origin, path, status }: RequestRecord): boolean {
  return status >= 200 && status < 300 && (origin === 'cdn' || path.includes('/api/resolve-cache/'))
}

/** How many of the bytes sent had been sent before, by address and place in what is there. */
export function repeated(sent: readonly RequestRecord[]): number {
  let again = 0
  const reached = new Map<string, [number, number][]>()
  for (const { path, query, range, status, bytesSent } of sent) {
    const cursor = query.get('cursor') ?? ''
    const start = status === 206 ? Number(/^bytes=(\d+)/.exec(range ?? '')?.[1] ?? 0) : 0
    const known = reached.get(path + cursor) ?? []
    again += overlap(known, start, start + bytesSent)
    reached.set(path + cursor, [...known, [start, start + bytesSent]])
  }
  return again
}

/** How much of a range lies in any of the others. */
function overlap(known: readonly [number, number][], start: number, end: number): number {
  let covered = 0
  let at = start
  for (const [from, to] of [...known].sort(([a], [b]) => a - b)) {
    covered += Math.max(0, Math.min(end, to) - Math.max(at, from))
    at = Math.max(at, to)
  }
  return covered
}

/** A number of bytes as docs/downloads.md names it. */
export function amount(bytes: number, size: number): string {
  if (bytes === 0) return 'nothing'
  if (bytes === size) return 'the file'
  if (bytes === 2 * size) return 'twice the file'
  return bytes === size / 2 ? 'half of the file' : `${bytes} bytes`
}

/** Body bytes of requests. */
export function bytesOf(sent: readonly RequestRecord[]): number {
  return sent.reduce((total, { bytesSent }) => total + bytesSent, 0)
}
