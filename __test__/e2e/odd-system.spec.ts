import { join } from 'node:path'
import test from 'ava'
import { compilePreload } from '../support/preload.js'
import { onnxFiles } from '../support/repository.js'
import { openStore, REPO } from '../support/store.js'
import { CacheProcess } from './cache-process.js'
import { MIB, quantOf } from './half-way.js'

const SIZE = MIB

const YEAR = 365 * 24 * 3600

/** Numbers by which Linux tells them (`linux/magic.h`). Others are looked at in a way that no preloaded library can change. */
const NETWORK = { NFS: 0x6969, SMB: 0x517b, CIFS: 0xff534d42 }

for (const [name, fileSystem] of Object.entries(NETWORK)) {
  test(`a store on ${name} is refused`, async (t) => {
    const disguise = await compilePreload(t)
    if (!disguise) {
      t.pass()
      return
    }
    const { hub, path } = await openStore(t, onnxFiles(SIZE))
    const elsewhere = join(path, '..', 'elsewhere')
    const child = new CacheProcess(t, disguise({ fileSystem }))
    const options = { path: elsewhere, endpoint: hub.url }
    await t.throwsAsync(child.open(options), {
      code: 'ERR_UNSUPPORTED_FILESYSTEM',
      message: /choose a folder on a local disk/,
    })
  })
}

test('a clock that goes back by a year loses nothing, and uses count again from the next one on', async (t) => {
  const disguise = await compilePreload(t)
  if (!disguise) {
    t.pass()
    return
  }
  const { cache, hub, path } = await openStore(t, onnxFiles(SIZE))
  const ahead = new CacheProcess(t, disguise({ clockShift: YEAR }))
  await ahead.open({ path, endpoint: hub.url })
  for (const quant of ['q8', 'q4']) await ahead.call('downloadQuant', REPO, quant)
  const { scannedAt } = (await ahead.call('getManifest', REPO)) ?? {}
  t.true((scannedAt?.getTime() ?? 0) > Date.now() + (YEAR * 1000) / 2, 'the clock of the child is ahead')
  await ahead.call('close')
  t.is(quantOf(cache.getManifest(REPO), 'q8').status, 'downloaded')
  await cache.downloadQuant(REPO, 'fp32')
  cache.getFile(REPO, 'onnx/model_quantized.onnx')?.close()
  // A time to come tells nothing, so what was not used since goes first.
  const { quants } = await cache.prune({ maxSize: 2.5 * SIZE })
  t.deepEqual(quants, [{ repo: REPO, quant: 'q4' }])
  t.like(await cache.verify(), { damaged: [], missing: [], orphans: 0 })
  t.is(quantOf(await cache.downloadQuant(REPO, 'q4'), 'q4').status, 'downloaded')
})
