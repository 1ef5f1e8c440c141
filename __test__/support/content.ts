import { createCipheriv, createHash } from 'node:crypto'
import { type FileHandle, open } from 'node:fs/promises'

/**
 * What a file of a test repository holds: given bytes, `size` pseudo-random bytes that depend on `seed` alone, or a
 * `sparse` file of any size that takes no room: zeros, with pseudo-random bytes in its first and last MiB.
 */
export type Content = string | Buffer | { size: number; seed?: string; sparse?: boolean }

const PIECE = 1 << 20

/** The first `size` bytes of the pseudo-random stream of `seed`. */
export function randomBytes(size: number, seed = ''): Buffer {
  return stream(seed)(size)
}

/** Writes `content` to a new file. */
export async function writeContent(location: string, content: Content): Promise<void> {
  const handle = await open(location, 'w')
  try {
    if (typeof content === 'string' || Buffer.isBuffer(content)) await handle.writeFile(content)
    else if (content.sparse) await writeSparse(handle, content.size, content.seed)
    else await writeRandom(handle, content.size, content.seed)
  } finally {
    await handle.close()
  }
}

async function writeRandom(handle: FileHandle, size: number, seed = ''): Promise<void> {
  const next = stream(seed)
  for (let at = 0; at < size; at += PIECE) await handle.write(next(Math.min(PIECE, size - at)))
}

async function writeSparse(handle: FileHandle, size: number, seed = ''): Promise<void> {
  await handle.truncate(size)
  const edge = randomBytes(Math.min(PIECE, size), seed)
  await handle.write(edge, 0, edge.length, 0)
  await handle.write(edge, 0, edge.length, size - edge.length)
}

/** The key stream of AES-CTR: gigabytes per second, and the same everywhere. */
function stream(seed: string): (size: number) => Buffer {
  const key = createHash('sha256').update(seed).digest().subarray(0, 16)
  const cipher = createCipheriv('aes-128-ctr', key, Buffer.alloc(16))
  return (size) => cipher.update(Buffer.alloc(size))
}
