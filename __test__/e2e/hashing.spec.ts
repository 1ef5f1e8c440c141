import { ModelCache } from '@tabagent/model-cache'
import test, { type ExecutionContext } from 'ava'
import { openStore, REPO } from '../support/store.js'
import { holdAt, MIB, quantOf, recorded, until } from './half-way.js'

const PATH = 'model.safetensors'

/** Takes longer to hash than it takes to end a call. */
const SIZE = 256 * MIB

/** Leaves all bytes but the last ones stored, which are held back. */
async function leaveTheEnd(t: ExecutionContext) {
  const { cache, hub, path } = await openStore(t, { [PATH]: { size: SIZE, seed: 'weights' } })
  const gate = holdAt(hub, SIZE - MIB)
  const controller = new AbortController()
  const download = cache.downloadFile(REPO, PATH, { signal: controller.signal })
  const { quants } = (await cache.scanRepo(REPO)) ?? {}
  const quant = Object.keys(quants ?? {})[0] ?? ''
  await recorded(cache, REPO, quant, SIZE - MIB)
  controller.abort(new Error('enough'))
  await t.throwsAsync(download, { message: 'enough' })
  await cache.close()
  return { gate, hub, path, quant }
}

/** Ends a download that has all bytes, and hashes those of the first one; undefined when the hashing was over before. */
async function endWhileHashing(t: ExecutionContext, end: (controller: AbortController) => void) {
  const { gate, hub, path, quant } = await leaveTheEnd(t)
  const cache = await ModelCache.open({ path, endpoint: hub.url })
  const controller = new AbortController()
  const download = cache.downloadFile(REPO, PATH, { signal: controller.signal })
  gate.open()
  await until(() => quantOf(cache.getManifest(REPO), quant).downloaded === SIZE)
  end(controller)
  await Promise.all([t.throwsAsync(download), cache.close()])
  const again = await ModelCache.open({ path, endpoint: hub.url })
  t.teardown(() => again.close())
  return again.hasFile(REPO, PATH) ? undefined : { again, hub }
}

test('an abort, and closing, wait for no hashing; the next download has nothing to fetch', async (t) => {
  const abort = (controller: AbortController) => controller.abort(new Error('enough'))
  let ended = await endWhileHashing(t, abort)
  for (let tries = 1; !ended && tries < 3; tries += 1) ended = await endWhileHashing(t, abort)
  if (!ended) throw new Error('the file was stored each time')
  const { again, hub } = ended
  t.is(again.stats().partialBytes, SIZE)
  hub.log.clear()
  await again.downloadFile(REPO, PATH)
  t.is(hub.log.bytesSent({ origin: 'cdn' }), 0)
  t.true(again.hasFile(REPO, PATH))
})
