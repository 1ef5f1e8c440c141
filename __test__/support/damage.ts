import { open } from 'node:fs/promises'
import { join } from 'node:path'
import type { ModelCache } from '@tabagent/model-cache'

/** Inverts the byte of a stored file at `at` on the disk, as a failing disk may; `at` in chunk order of the file. */
export async function damageFile(cache: ModelCache, repo: string, path: string, at: number): Promise<void> {
  const file = cache.getFile(repo, path)
  if (!file) throw new Error(`${path} is not stored`)
  const extents = file.extents()
  file.close()
  let before = 0
  for (const { file: location, offset, length } of extents) {
    if (at < before + length) return invertByte(location, offset + at - before)
    before += length
  }
  throw new Error(`${path} has no byte ${at} in a place of its own`)
}

/** Inverts the first byte of `bytes` wherever the records of the store have them. */
export async function damageRecord(store: string, bytes: Buffer): Promise<void> {
  const location = join(store, 'model_cache_manifests', 'mdbx.dat')
  const handle = await open(location)
  const all = await handle.readFile().finally(() => handle.close())
  let found = 0
  for (let at = all.indexOf(bytes); at >= 0; at = all.indexOf(bytes, at + 1)) {
    await invertByte(location, at)
    found += 1
  }
  if (found === 0) throw new Error('no record has these bytes')
}

/** Makes every record of a table of the store unreadable; returns how many there were, those of earlier states among them. */
export async function damageTable(store: string, table: string): Promise<number> {
  const location = join(store, 'model_cache_manifests', 'mdbx.dat')
  const handle = await open(location, 'r+')
  try {
    const bytes = await handle.readFile()
    let found = 0
    for (let at = bytes.indexOf(`${table}:`); at >= 0; at = bytes.indexOf(`${table}:`, at + 1)) {
      // libmdbx has the length of a key right before it, and the value, which begins with its schema, right behind.
      const schema = at + bytes.readUInt16LE(at - 2)
      if (schema <= at || bytes[schema] !== 1) continue
      await handle.write(Buffer.from([99]), 0, 1, schema)
      found += 1
    }
    return found
  } finally {
    await handle.close()
  }
}

/** Changes what a chunk says of itself: a page lies before its bytes. */
export async function damageChunkHeader(extent: { file: string; offset: number } | undefined): Promise<void> {
  if (!extent) throw new Error('the file is not in chunks')
  await invertByte(extent.file, extent.offset - (64 << 10) + 20)
}

async function invertByte(location: string, at: number): Promise<void> {
  const handle = await open(location, 'r+')
  try {
    const { buffer } = await handle.read(Buffer.alloc(1), 0, 1, at)
    await handle.write(Buffer.from([~(buffer[0] ?? 0) & 0xff]), 0, 1, at)
  } finally {
    await handle.close()
  }
}
