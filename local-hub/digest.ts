import { createHash } from 'node:crypto'
import { createReadStream, type Stats } from 'node:fs'

/** How the Hub names a file: LFS files by the SHA-256 of their bytes, plain git files by their git object id. */
export type DigestAlgorithm = 'sha256' | 'git-sha1'

/**
 * Digests of files on disk, computed once and kept in memory for as long as size and modification time stay.
 */
export class DigestCache {
  readonly #digests = new Map<string, Promise<string>>()

  /** The digest of the file at `location` as lower-case hex. */
  digest(location: string, stats: Stats, algorithm: DigestAlgorithm): Promise<string> {
    const key = [algorithm, stats.size, stats.mtimeMs, location].join(' ')
    const known = this.#digests.get(key)
    if (known) return known
    const digest = digestFile(location, stats.size, algorithm)
    this.#digests.set(key, digest)
    digest.catch(() => this.#digests.delete(key))
    return digest
  }
}

/** The git object id of `content` stored as a blob. */
export function gitSha1(content: string): string {
  const bytes = Buffer.from(content)
  return createHash('sha1').update(`blob ${bytes.length}\0`).update(bytes).digest('hex')
}

async function digestFile(location: string, size: number, algorithm: DigestAlgorithm): Promise<string> {
  const hash = algorithm === 'sha256' ? createHash('sha256') : createHash('sha1').update(`blob ${size}\0`)
  for await (const piece of createReadStream(location, { highWaterMark: 1 << 20 })) hash.update(piece)
  return hash.digest('hex')
}
