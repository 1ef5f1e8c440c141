import { createHash } from 'node:crypto'
import { statfsSync } from 'node:fs'
import { open, readFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type CachedFile, ModelCache } from '@tabagent/model-cache'
import test from 'ava'
import { writeContent } from '../support/content.js'
import { makeFolder } from '../support/folder.js'
import { openStore, openStored, REPO } from '../support/store.js'
import { MIB } from './half-way.js'

const KIB = 1024

/** Sizes at which the store changes how it keeps a file: nothing, a record, one chunk, two chunks. */
const SIZES = [0, 1, 64 * KIB - 1, 64 * KIB, 64 * KIB + 1, 100 * MIB - 1, 100 * MIB, 100 * MIB + 1]

async function sha256(pieces: Iterable<Uint8Array> | AsyncIterable<Uint8Array>): Promise<string> {
  const hash = createHash('sha256')
  for await (const piece of pieces) hash.update(piece)
  return hash.digest('hex')
}

async function* extentBytes(file: CachedFile): AsyncIterable<Uint8Array> {
  for (const { file: path, offset, length } of file.extents()) {
    const handle = await open(path)
    try {
      yield (await handle.read(Buffer.alloc(length), 0, length, offset)).buffer
    } finally {
      await handle.close()
    }
  }
}

for (const size of SIZES) {
  test.serial(`a file of ${size} bytes is the same whichever way it is read`, async (t) => {
    const content = { size, seed: 's', sparse: size > MIB }
    const { cache, hub, path } = await openStore(t, { 'm.gguf': content })
    const reference = join(await makeFolder(t), 'reference')
    await writeContent(reference, content)
    const expected = createHash('sha256')
      .update(await readFile(reference))
      .digest('hex')
    const file = await cache.fetchFile(REPO, 'm.gguf')
    t.like(file, { size, digest: { algorithm: 'sha256', value: expected } })
    t.is(file.zeroCopy, size >= 64 * KIB)
    t.is(file.buffer.length, size)
    t.is(await sha256([file.buffer]), expected)
    t.is(await sha256(file.chunks()), expected)
    t.true([...file.chunks()].every(({ length }) => length > 0 && length <= 100 * MIB))
    t.is(await sha256(file.stream()), expected)
    t.is(await sha256([file.subarray(0, 50 * KIB), file.subarray(50 * KIB)]), expected)
    if (file.zeroCopy) t.is(await sha256(extentBytes(file)), expected)
    const copying = await ModelCache.open({ path, endpoint: hub.url, zeroCopy: false })
    t.teardown(() => copying.close())
    const copied = openStored(copying, 'm.gguf')
    t.false(copied.zeroCopy)
    t.is(await sha256([copied.buffer]), expected)
  })
}

const LARGE = 4096 * MIB + 5

const { bavail, bsize } = statfsSync(process.env['MODEL_CACHE_TEST_DIR'] ?? tmpdir())
const whereItFits = bavail * bsize > 2 * LARGE ? test.serial : test.serial.skip

whereItFits('a file of more than 4 GiB is read in pieces on any Node', async (t) => {
  const { cache } = await openStore(t, { 'm.gguf': { size: LARGE, seed: 'large', sparse: true } })
  const file = await cache.fetchFile(REPO, 'm.gguf')
  t.is(file.size, LARGE)
  const pieces = [...file.chunks()]
  t.is(pieces.length, Math.ceil(LARGE / (100 * MIB)))
  t.is(
    pieces.reduce((sum, { length }) => sum + length, 0),
    LARGE,
  )
  const edge = file.subarray(0, MIB)
  t.true(file.subarray(LARGE - MIB).equals(edge), 'both ends hold the same bytes')
  t.true(pieces.at(-1)?.subarray(-MIB).equals(edge.subarray(-MIB)))
  t.true(file.subarray(4095 * MIB, 4095 * MIB + 3).every((byte) => byte === 0))
  t.is(await sha256(file.stream({ start: LARGE - MIB })), await sha256([edge]))
  file.close()
  t.is(pieces[0]?.length, 0)
})
