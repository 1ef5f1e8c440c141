import { ModelCache } from '@tabagent/model-cache'
import test from 'ava'
import { randomBytes } from '../support/content.js'
import { expectRequests } from '../support/hub.js'
import { onnxFiles } from '../support/repository.js'
import { openStore, REPO } from '../support/store.js'

const SIZE = 100_000
const PATH = 'onnx/model_quantized.onnx'

async function openOffline(t: Parameters<typeof openStore>[0]) {
  const store = await openStore(t, onnxFiles(SIZE))
  const offline = await ModelCache.open({ path: store.path, endpoint: store.hub.url, offline: true })
  t.teardown(() => offline.close())
  return { ...store, offline }
}

test('offline and never scanned: the repository and what to do', async (t) => {
  const { hub, offline } = await openOffline(t)
  const never = { code: 'ERR_OFFLINE', message: /acme\/model was never scanned.*without offline/ }
  await t.throwsAsync(offline.scanRepo(REPO), never)
  await t.throwsAsync(offline.downloadQuant(REPO, 'q8'), never)
  await t.throwsAsync(offline.fetchFile(REPO, 'config.json'), never)
  expectRequests(t, hub, { api: 0, cdn: 0 })
})

test('offline and scanned: the last known state, and what is not stored fails', async (t) => {
  const { cache, hub, offline } = await openOffline(t)
  const { commit } = await cache.scanRepo(REPO)
  hub.log.clear()
  t.like(await offline.scanRepo(REPO), { commit, stale: true })
  await t.throwsAsync(offline.downloadQuant(REPO, 'q8'), { code: 'ERR_OFFLINE', message: /without offline/ })
  t.is(
    offline.getManifest(REPO)?.quants['q8']?.status,
    'available',
    'being offline is no failure of the quant',
  )
  expectRequests(t, hub, { api: 0, cdn: 0 })
})

test('offline and stored: everything works without a request', async (t) => {
  const { cache, hub, offline } = await openOffline(t)
  await cache.downloadQuant(REPO, 'q8')
  hub.log.clear()
  t.is((await offline.downloadQuant(REPO, 'q8')).quants['q8']?.status, 'downloaded')
  t.true((await offline.fetchFile(REPO, PATH)).buffer.equals(randomBytes(SIZE, PATH)))
  expectRequests(t, hub, { api: 0, cdn: 0 })
})

test('a Hub that cannot be reached: the last known state is stale, and without one the address is named', async (t) => {
  const { cache, hub } = await openStore(t, onnxFiles(SIZE), { retries: 0 })
  const { commit } = await cache.scanRepo(REPO)
  await hub.close()
  t.like(await cache.scanRepo(REPO), { commit, stale: true })
  const error = await t.throwsAsync(cache.scanRepo('acme/other'), {
    code: 'ERR_NETWORK',
    message: /127\.0\.0\.1.*check the network/,
  })
  t.true((error as { url?: string }).url?.startsWith(hub.url))
})
