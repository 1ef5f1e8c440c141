import type { Progress } from '@tabagent/model-cache'
import test from 'ava'
import { holdAt, MIB } from './e2e/half-way.js'
import { EMPTY_MANIFEST, openFakeCache, PendingCall } from './support/fake-addon.js'
import { onnxFiles } from './support/repository.js'
import { openStore, REPO } from './support/store.js'

async function startDownload(onProgress: (loaded: number) => void, signal?: AbortSignal) {
  const download = new PendingCall<string>()
  const { cache } = await openFakeCache({ downloadQuant: download.call })
  const call = cache.downloadQuant('acme/model', 'q4', {
    onProgress: ({ loaded }) => onProgress(loaded),
    ...(signal && { signal }),
  })
  return { download, call }
}

test('a nudge delivers the newest report once; older ones are skipped', async (t) => {
  const seen: number[] = []
  const { download, call } = await startDownload((loaded) => seen.push(loaded))
  download.operation.report(1, 10)
  download.operation.report(2, 10)
  download.nudge()
  download.nudge()
  t.deepEqual(seen, [2])
  download.resolve(EMPTY_MANIFEST)
  await call
  t.deepEqual(seen, [2])
})

test('the report of 100 % comes before the promise settles, even when its nudge does not', async (t) => {
  const seen: (number | string)[] = []
  const { download, call } = await startDownload((loaded) => seen.push(loaded))
  download.operation.report(10, 10)
  download.resolve(EMPTY_MANIFEST)
  await call.then(() => seen.push('settled'))
  download.nudge()
  t.deepEqual(seen, [10, 'settled'])
})

test('no report comes after the promise settled', async (t) => {
  for (const end of ['resolve', 'reject', 'abort'] as const) {
    const seen: number[] = []
    const controller = new AbortController()
    const { download, call } = await startDownload((loaded) => seen.push(loaded), controller.signal)
    if (end === 'resolve') download.resolve(EMPTY_MANIFEST)
    else if (end === 'reject') download.reject(new Error('native'))
    else controller.abort()
    await call.catch(() => {})
    download.operation.report(5, 10)
    download.nudge()
    t.deepEqual(seen, [], end)
  }
})

test('an exception of onProgress rejects the call with that exception and lets the download go', async (t) => {
  const thrown = new Error('mine')
  const { download, call } = await startDownload(() => {
    throw thrown
  })
  download.operation.report(1, 10)
  t.notThrows(() => download.nudge())
  t.is(await t.throwsAsync(call), thrown)
  t.true(download.operation.cancelled)
})

test('an exception at 100 % rejects the call too', async (t) => {
  const thrown = new Error('mine')
  const { download, call } = await startDownload(() => {
    throw thrown
  })
  download.operation.report(10, 10)
  download.resolve(EMPTY_MANIFEST)
  t.is(await t.throwsAsync(call), thrown)
})

test('without onProgress the addon gets no function to call', async (t) => {
  const download = new PendingCall<string>()
  const { cache } = await openFakeCache({ downloadQuant: download.call })
  const call = cache.downloadQuant('acme/model', 'q4')
  download.resolve(EMPTY_MANIFEST)
  await call
  t.is(download.started[0]?.nudge, undefined)
})

test('a real download reports rising numbers, and 100 % once, as the last', async (t) => {
  const { cache } = await openStore(t, onnxFiles(2_000_000))
  const seen: Progress[] = []
  const manifest = await cache.downloadQuant(REPO, 'q8', { onProgress: (progress) => seen.push(progress) })
  const { size } = manifest.quants['q8'] ?? { size: 0 }
  t.deepEqual(
    seen.filter(({ loaded }) => loaded === size).map((progress) => seen.indexOf(progress)),
    [seen.length - 1],
  )
  t.deepEqual(
    seen.map(({ loaded }) => loaded),
    seen.map(({ loaded }) => loaded).sort((a, b) => a - b),
  )
  t.like(seen.at(-1), { repo: REPO, quant: 'q8', loaded: size, total: size, resumedFrom: 0 })
})

test('a stored quant reports 100 % once', async (t) => {
  const { cache } = await openStore(t, onnxFiles(100_000))
  await cache.downloadQuant(REPO, 'q8')
  const seen: Progress[] = []
  await cache.downloadQuant(REPO, 'q8', { onProgress: (progress) => seen.push(progress) })
  t.is(seen.length, 1)
  t.is(seen[0]?.loaded, seen[0]?.total)
})

test('every file under way is reported, with the sum of what is here', async (t) => {
  const shards = [1, 2, 3].map((shard) => `model-0000${shard}-of-00003.safetensors`)
  const files = Object.fromEntries(shards.map((path) => [path, { size: 8 * MIB, seed: path }]))
  const { cache, hub } = await openStore(t, files)
  const [quant] = Object.keys((await cache.scanRepo(REPO)).quants)
  const held = holdAt(hub, 4 * MIB)
  let last: Progress | undefined
  const call = cache.downloadQuant(REPO, quant ?? '', {
    onProgress(progress) {
      last = progress
      if (progress.files.length === 3 && progress.files.every(({ loaded }) => loaded === 4 * MIB)) held.open()
    },
  })
  await held.opened
  t.deepEqual(
    last?.files,
    shards.map((path) => ({ path, loaded: 4 * MIB, total: 8 * MIB })),
  )
  t.is(last?.loaded, 12 * MIB)
  await call
  t.like(last, { loaded: 24 * MIB, files: [] })
})
