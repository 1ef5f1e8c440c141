import { ModelCache, type Progress } from '@tabagent/model-cache'
import test from 'ava'
import { randomBytes } from '../support/content.js'
import { ggufFiles, onnxFiles } from '../support/repository.js'
import { openStore, REPO } from '../support/store.js'
import { cdnBytes, gate, holdAt, MIB, quantOf } from './half-way.js'

const SIZE = 24 * MIB
const HALF = 12 * MIB
const FILES = ggufFiles('m', ['Q4_K_M'], SIZE)
const PATH = 'm-Q4_K_M.gguf'

/** A download that has brought half of its file and cannot go on. */
async function startHalf(t: Parameters<typeof openStore>[0]) {
  const store = await openStore(t, FILES)
  const held = holdAt(store.hub, HALF)
  const half = gate()
  const seen: Progress[] = []
  const controller = new AbortController()
  const call = store.cache.downloadQuant(REPO, 'Q4_K_M', {
    signal: controller.signal,
    onProgress(progress) {
      seen.push(progress)
      if (progress.loaded >= HALF) half.open()
    },
  })
  await Promise.race([half.opened, call])
  return { ...store, held, seen, controller, call }
}

/** What the store has kept, once all that a closed cache had under way has ended. */
async function keptAfterClose(store: { cache: ModelCache; path: string; hub: { url: string } }) {
  await store.cache.close()
  const next = await ModelCache.open({ path: store.path, endpoint: store.hub.url })
  const quant = quantOf(next.getManifest(REPO), 'Q4_K_M')
  await next.close()
  return quant
}

test('an abort rejects at once with the reason of the signal, while the Hub is silent', async (t) => {
  const { call, controller } = await startHalf(t)
  const reason = new Error('the user has left')
  controller.abort(reason)
  t.is(await t.throwsAsync(call), reason)
})

test('an aborted download keeps what came', async (t) => {
  const store = await startHalf(t)
  store.controller.abort(new Error('enough'))
  await t.throwsAsync(store.call)
  t.like(await keptAfterClose(store), { status: 'available', downloaded: HALF })
})

test('an abort lets the other callers of the same quant go on', async (t) => {
  const { cache, hub, call, controller, held } = await startHalf(t)
  const other = cache.downloadQuant(REPO, 'q4_k_m')
  const file = cache.fetchFile(REPO, PATH)
  controller.abort(new Error('not me'))
  await t.throwsAsync(call, { message: 'not me' })
  held.open()
  t.is(quantOf(await other, 'Q4_K_M').status, 'downloaded')
  t.true((await file).buffer.equals(randomBytes(SIZE, PATH)))
  t.true(cdnBytes(hub) < SIZE + HALF, 'nothing began anew')
})

test('close ends a download with ERR_CLOSED and keeps what came', async (t) => {
  const store = await startHalf(t)
  const closing = store.cache.close()
  await t.throwsAsync(store.call, { code: 'ERR_CLOSED', message: /closed/ })
  await closing
  t.like(await keptAfterClose(store), { status: 'available', downloaded: HALF })
  await t.throwsAsync(store.cache.downloadQuant(REPO, 'Q4_K_M'), { code: 'ERR_CLOSED' })
  await t.notThrowsAsync(store.cache.close(), 'closing twice')
})

test('reports never fall and never claim the end of what failed', async (t) => {
  const { seen, call, controller } = await startHalf(t)
  controller.abort(new Error('enough'))
  await t.throwsAsync(call)
  const reported = seen.length
  t.true(seen.every(({ loaded, total }, index) => loaded >= (seen[index - 1]?.loaded ?? 0) && loaded < total))
  for (let turn = 0; turn < 5; turn += 1) await new Promise((resolve) => setImmediate(resolve))
  t.is(seen.length, reported, 'nothing comes after the rejection')
})

test('each caller of a shared transfer gets its own 100 %, once and last, before its promise settles', async (t) => {
  const { cache } = await openStore(t, onnxFiles(3 * MIB))
  const watch = async (quant: string) => {
    const seen: Progress[] = []
    await cache.downloadQuant(REPO, quant, { onProgress: (progress) => seen.push(progress) })
    return seen
  }
  for (const seen of await Promise.all([watch('q8'), watch('q8'), watch('q4')])) {
    t.deepEqual(
      seen.flatMap(({ loaded, total }, index) => (loaded === total ? [index] : [])),
      [seen.length - 1],
    )
    t.true(seen.every(({ loaded }, index) => loaded >= (seen[index - 1]?.loaded ?? 0)))
  }
})

test('a report tells the whole call and the file now moving', async (t) => {
  const { seen, controller, call } = await startHalf(t)
  const half = seen.at(-1)
  t.like(half, { repo: REPO, quant: 'Q4_K_M', loaded: HALF, total: SIZE, resumedFrom: 0 })
  t.like(half, { path: PATH, fileLoaded: HALF, fileTotal: SIZE })
  controller.abort(new Error('enough'))
  await t.throwsAsync(call)
})
