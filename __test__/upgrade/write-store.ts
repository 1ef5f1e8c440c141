// node build/__test__/upgrade/write-store.js ARCHIVE
// Writes a small store with every kind of record in it, as this version does, for the tests of all later ones.
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { ModelCache } from '@tabagent/model-cache'
import { LocalHub } from '../../local-hub/index.js'
import { COMMIT, writeHfCache } from '../support/hf-cache.js'
import { writeRepository } from '../support/repository.js'
import * as old from './old-store.js'

/** Bytes of the partial file that arrive. */
const ARRIVED = 128 << 10

async function fill(folder: string): Promise<void> {
  const root = join(folder, 'hub')
  await writeRepository(root, old.REPO, old.FILES)
  await using hub = await LocalHub.start({ root, port: old.PORT })
  const cache = await ModelCache.open({ path: join(folder, 'store'), endpoint: hub.url, retries: 0 })
  await cache.scanRepo(old.OTHER_NAME)
  await cache.downloadQuant(old.REPO, 'q8')
  hub.fault = ({ origin }) => (origin === 'cdn' ? { alterByte: 7 } : undefined)
  await expectFailure(cache.downloadQuant(old.REPO, 'q4'))
  hub.fault = ({ origin }) => (origin === 'cdn' ? { stallAfter: ARRIVED } : undefined)
  await expectFailure(downloadPart(cache))
  await writeHfCache(join(folder, 'hf'), old.IMPORTED, COMMIT, old.IMPORTED_FILES)
  await cache.importHfCache(join(folder, 'hf'))
  await cache.close()
}

async function expectFailure(call: Promise<unknown>): Promise<void> {
  const outcome = await call.then(
    () => 'succeeded',
    () => 'failed',
  )
  if (outcome !== 'failed') throw new Error('a download went well that should not')
}

function downloadPart(cache: ModelCache): Promise<unknown> {
  const controller = new AbortController()
  return cache.downloadFile(old.REPO, old.PARTIAL, {
    signal: controller.signal,
    onProgress: ({ loaded }) => loaded >= ARRIVED && controller.abort(),
  })
}

const [archive] = process.argv.slice(2)
if (!archive) throw new Error('name the archive to write')
const folder = await mkdtemp(join(tmpdir(), 'model-cache-test-'))
try {
  await fill(folder)
  await old.pack(folder, archive)
} finally {
  await rm(folder, { recursive: true })
}
