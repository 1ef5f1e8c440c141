import test from 'ava'
import { randomBytes } from '../support/content.js'
import { openStore, openStored, REPO } from '../support/store.js'
import { MIB } from './half-way.js'

test('a download at a limited rate brings the same bytes', async (t) => {
  const files = { 'a.gguf': { size: 2 * MIB, seed: 'a' }, 'b.gguf': { size: 100, seed: 'b' } }
  const { cache } = await openStore(t, files, { maxBytesPerSecond: 4 * MIB })
  await Promise.all(Object.keys(files).map((path) => cache.downloadFile(REPO, path)))
  t.true(openStored(cache, 'a.gguf').buffer.equals(randomBytes(2 * MIB, 'a')))
  t.true(openStored(cache, 'b.gguf').buffer.equals(randomBytes(100, 'b')))
})
