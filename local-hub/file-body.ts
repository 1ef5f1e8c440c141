import { type FileHandle, open, readFile } from 'node:fs/promises'
import { gzipSync } from 'node:zlib'
import type { Exchange, Headers } from './exchange.js'
import type { Pace } from './pace.js'
import { type ByteRange, parseRange } from './range.js'

/** Answers with a file or the part of it that was asked for, applying the faults of this request. */
export async function sendFile(
  exchange: Exchange,
  file: { location: string; size: number },
  headers: Headers,
  pace: Pace,
): Promise<void> {
  const { fault, request, response } = exchange
  const range = fault.ignoreRange ? undefined : parseRange(request.headers.range, file.size)
  if (range === 'unsatisfiable') {
    return exchange.reply(416, { ...headers, 'content-range': `bytes */${file.size}` })
  }
  const { start, end } = shorten(range ?? { start: 0, end: file.size }, fault.shorten)
  if (fault.compress) return sendCompressed(exchange, file.location, { start, end }, headers)
  const partial = range ? { 'content-range': `bytes ${start}-${end - 1}/${file.size}` } : {}
  exchange.begin(range ? 206 : 200, {
    'accept-ranges': 'bytes',
    'content-length': end - start,
    ...headers,
    ...partial,
  })
  if (request.method === 'HEAD') return void response.end()
  const { cutAfter = Infinity, resetAfter = Infinity, stallAfter = Infinity } = fault
  const stop = Math.min(end, start + Math.min(cutAfter, resetAfter, stallAfter))
  await copy(exchange, file.location, { start, end: stop }, pace)
  if (stop === end) return finish(exchange)
  await fault.until
  if (stop - start === cutAfter) return exchange.drop()
  if (stop - start === resetAfter) return exchange.reset()
  await exchange.closed()
}

/** A compressed range is nonsense that some servers send. */
async function sendCompressed(
  exchange: Exchange,
  location: string,
  range: ByteRange,
  headers: Headers,
): Promise<void> {
  const bytes = (await readFile(location)).subarray(range.start, range.end)
  exchange.reply(200, { ...headers, 'content-encoding': 'gzip' }, gzipSync(bytes))
}

function shorten({ start, end }: ByteRange, most = Infinity): ByteRange {
  return { start, end: Math.min(end, start + most) }
}

async function finish(exchange: Exchange): Promise<void> {
  const { append = 0 } = exchange.fault
  if (append > 0) await exchange.write(Buffer.alloc(append))
  exchange.response.end()
}

/**
 * Reads into two buffers in turn, one being sent while the other is filled: no allocation per piece, so that one process
 * serves more than a gigabyte per second.
 */
async function copy(exchange: Exchange, location: string, range: ByteRange, pace: Pace): Promise<void> {
  if (range.start === range.end) return exchange.response.flushHeaders()
  const size = Math.min(pace.pieceSize, range.end - range.start)
  const buffers = [Buffer.allocUnsafeSlow(size), Buffer.allocUnsafeSlow(size)] as const
  const handle = await open(location)
  try {
    let writing = Promise.resolve(true)
    for (let at = range.start, turn: 0 | 1 = 0; at < range.end; turn = turn === 0 ? 1 : 0) {
      const piece = await readPiece(handle, buffers[turn], at, range.end)
      alter(piece, at, exchange.fault.alterByte)
      if (!(await writing)) return
      await pace.take(exchange.request.socket, piece.length)
      writing = exchange.write(piece)
      at += piece.length
    }
    await writing
  } finally {
    await handle.close()
  }
}

async function readPiece(handle: FileHandle, buffer: Buffer, at: number, end: number): Promise<Buffer> {
  const { bytesRead } = await handle.read(buffer, 0, Math.min(buffer.length, end - at), at)
  if (bytesRead === 0) throw new Error('a served file became shorter while it was sent')
  return buffer.subarray(0, bytesRead)
}

function alter(piece: Buffer, at: number, offset: number | undefined): void {
  const index = offset === undefined ? -1 : offset - at
  const byte = piece[index]
  if (byte !== undefined) piece[index] = byte ^ 0xff
}
