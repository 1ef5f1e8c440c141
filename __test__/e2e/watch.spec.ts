import { getEventListeners } from 'node:events'
import { join } from 'node:path'
import { type Manifest, ModelCache, type WatchOptions } from '@tabagent/model-cache'
import test, { type ExecutionContext } from 'ava'
import { makeFolder } from '../support/folder.js'
import { expectRequests, startHub } from '../support/hub.js'
import { type Files, ggufFiles } from '../support/repository.js'
import { collect, openStore, REPO } from '../support/store.js'
import { CacheProcess } from './cache-process.js'
import { holdAt, MIB, quantOf } from './half-way.js'

const SIZE = 8 * MIB
const QUANT = 'Q4_K_M'
const PATH = 'm-Q4_K_M.gguf'
const FILES = ggufFiles('m', [QUANT], SIZE)
const OTHER = 'acme/other'

async function openTwo(t: ExecutionContext, files: Files = FILES) {
  const { hub } = await startHub(t, { [REPO]: files, [OTHER]: ggufFiles('o', ['Q8_0'], 1000) })
  const path = join(await makeFolder(t), 'store')
  const cache = await ModelCache.open({ path, endpoint: hub.url })
  t.teardown(() => cache.close())
  return { cache, hub, path }
}

/** A watch that ends with the test. */
function watch(t: ExecutionContext, cache: ModelCache, options?: WatchOptions) {
  const watching = cache.watch(options)
  t.teardown(() => watching.return?.())
  const next = async (): Promise<Manifest> => {
    const { value, done } = await watching.next()
    if (done) throw new Error('the watch is over')
    return value
  }
  /** The first manifest from now on that is as described; `seen` gets those before. */
  const until = async (wanted: (manifest: Manifest) => boolean, seen: Manifest[] = []): Promise<Manifest> => {
    for (;;) {
      const manifest = await next()
      if (wanted(manifest)) return manifest
      seen.push(manifest)
    }
  }
  return { watching, next, until }
}

const status = (manifest: Manifest) => quantOf(manifest, QUANT).status
const downloaded = (manifest: Manifest) => quantOf(manifest, QUANT).downloaded

test('first the present state of every scanned revision, then what changes', async (t) => {
  const { cache } = await openTwo(t)
  await cache.scanRepo(REPO)
  await cache.scanRepo(OTHER)
  const { next, until } = watch(t, cache)
  const present = [await next(), await next()]
  t.deepEqual(present, cache.listManifests())
  await cache.downloadQuant(OTHER, 'Q8_0')
  const changed = await until(({ quants }) => quants['Q8_0']?.status === 'downloaded')
  t.deepEqual(changed, cache.getManifest(OTHER) as Manifest)
})

test('an empty store has no present state: the first manifest is that of the first scan', async (t) => {
  const { cache } = await openTwo(t)
  const first = watch(t, cache).next()
  const { commit } = await cache.scanRepo(REPO)
  t.is((await first).commit, commit)
})

test('a download of this process: its beginning, its progress, its end', async (t) => {
  const { cache, hub } = await openTwo(t)
  await cache.scanRepo(REPO)
  const { until } = watch(t, cache)
  const held = holdAt(hub, SIZE / 2)
  const done = cache.downloadQuant(REPO, QUANT)
  t.is(status(await until((manifest) => downloaded(manifest) === SIZE / 2)), 'downloading')
  held.open()
  await done
  t.like(quantOf(await until((manifest) => status(manifest) !== 'downloading'), QUANT), {
    status: 'downloaded',
    downloaded: SIZE,
  })
})

test('a download of another process, its death, and what another removes', async (t) => {
  const { cache, hub, path } = await openTwo(t)
  const options = { path, endpoint: hub.url }
  const [other, third] = [await CacheProcess.open(t, options), await CacheProcess.open(t, options)]
  const { next, until } = watch(t, cache)
  await other.call('scanRepo', REPO)
  t.is(status(await next()), 'available')
  holdAt(hub, SIZE / 2)
  await other.startDownload(REPO, QUANT)
  t.is(status(await until((manifest) => downloaded(manifest) === SIZE / 2)), 'downloading')
  await other.child.kill()
  t.is(status(await until((manifest) => status(manifest) !== 'downloading')), 'available')
  hub.fault = undefined
  await third.call('downloadQuant', REPO, QUANT)
  const stored = await until((manifest) => status(manifest) === 'downloaded')
  t.true(quantOf(stored, QUANT).files.every((file) => file.stored))
  await third.call('removeFile', REPO, PATH)
  t.like(quantOf(await next(), QUANT), { status: 'available', downloaded: 0 })
})

test('a failed download, with its reason', async (t) => {
  const { cache, hub } = await openTwo(t)
  await cache.scanRepo(REPO)
  const { until } = watch(t, cache)
  hub.fault = ({ origin }) => (origin === 'cdn' ? { answer: { status: 404 } } : undefined)
  await t.throwsAsync(cache.downloadQuant(REPO, QUANT))
  const failed = await until((manifest) => status(manifest) === 'failed')
  t.deepEqual(failed, cache.getManifest(REPO) as Manifest)
  t.truthy(quantOf(failed, QUANT).error)
})

test('a removed repository is shown once more, with nothing stored', async (t) => {
  const { cache } = await openTwo(t)
  await cache.downloadQuant(REPO, QUANT)
  const { next, until } = watch(t, cache)
  t.is(status(await next()), 'downloaded')
  await cache.removeRepo(REPO)
  const last = await until((manifest) => status(manifest) !== 'downloaded')
  t.like(quantOf(last, QUANT), { status: 'available', downloaded: 0 })
  t.false(quantOf(last, QUANT).files.some(({ stored }) => stored))
  t.is(cache.getManifest(REPO), undefined)
  await cache.scanRepo(OTHER)
  t.is((await next()).repo, OTHER, 'and then no more')
})

test('a branch that moves is shown at its new commit', async (t) => {
  const { cache, hub, path } = await openTwo(t)
  await cache.scanRepo(REPO)
  const { next } = watch(t, cache)
  const { commit } = await next()
  hub.setRevision(REPO, 'main', join(path, '..'))
  const moved = await cache.scanRepo(REPO)
  t.not(moved.commit, commit)
  t.deepEqual(await next(), moved)
})

test('one repository, by any of its names, scanned or not', async (t) => {
  const { cache } = await openTwo(t)
  await cache.scanRepo(OTHER)
  const { next } = watch(t, cache, { repo: REPO.toUpperCase() })
  const first = next()
  await cache.downloadQuant(OTHER, 'Q8_0')
  await cache.scanRepo(REPO)
  t.is((await first).repo, REPO)
  await cache.removeRepo(OTHER)
  await cache.removeRepo(REPO)
  t.is((await next()).repo, REPO)
})

test('who is slow gets the newest state of each repository, and only that', async (t) => {
  const { cache } = await openTwo(t)
  await cache.scanRepo(REPO)
  await cache.scanRepo(OTHER)
  const { next, until } = watch(t, cache)
  const pace = watch(t, cache)
  await cache.downloadQuant(REPO, QUANT)
  await pace.until(({ repo, quants }) => repo === REPO && quants[QUANT]?.status === 'downloaded')
  await cache.downloadQuant(OTHER, 'Q8_0')
  await pace.until(({ repo, quants }) => repo === OTHER && quants['Q8_0']?.status === 'downloaded')
  const newest = [await next(), await next()]
  t.deepEqual(
    newest.map(({ repo, quants }) => [repo, Object.values(quants)[0]?.status]),
    [
      [REPO, 'downloaded'],
      [OTHER, 'downloaded'],
    ],
  )
  await cache.removeRepo(OTHER)
  const seen: Manifest[] = []
  await until(({ quants }) => quants['Q8_0']?.status === 'available', seen)
  t.deepEqual(seen, [])
})

test('a read-only cache watches what others write', async (t) => {
  const { cache, hub, path } = await openTwo(t)
  await cache.scanRepo(REPO)
  const reader = await ModelCache.open({ path, endpoint: hub.url, readOnly: true, offline: true })
  t.teardown(() => reader.close())
  const { until } = watch(t, reader)
  hub.log.clear()
  await until((manifest) => status(manifest) === 'available')
  expectRequests(t, hub, { api: 0, cdn: 0 })
  await cache.downloadQuant(REPO, QUANT)
  await until((manifest) => status(manifest) === 'downloaded')
  t.pass()
})

test('a signal ends it with its reason, once', async (t) => {
  const { cache } = await openTwo(t)
  const controller = new AbortController()
  const { watching } = watch(t, cache, { signal: controller.signal })
  const [first, second] = [watching.next(), watching.next()]
  controller.abort()
  const thrown = await first.catch((error) => error)
  t.is(thrown, controller.signal.reason)
  t.is(thrown.name, 'AbortError')
  t.true((await second).done)
  t.true((await watching.next()).done)
  const reason = new Error('enough')
  const late = cache.watch({ signal: AbortSignal.abort(reason) })
  await t.throwsAsync(late.next(), { is: reason })
})

test('closing the cache ends it, and return() does', async (t) => {
  const { cache } = await openTwo(t)
  const [closed, returned] = [cache.watch(), cache.watch()]
  const [one, two] = [closed.next(), returned.next()]
  t.deepEqual(await returned.return?.(), { done: true, value: undefined })
  t.true((await two).done)
  await cache.close()
  t.true((await one).done)
  t.true((await closed.next()).done)
  t.throws(() => cache.watch(), { code: 'ERR_CLOSED' })
})

test('leaving a loop ends it; options are checked', async (t) => {
  const { cache } = await openTwo(t)
  await cache.scanRepo(REPO)
  const watching = cache.watch()
  for await (const { repo } of watching) {
    t.is(repo, REPO)
    break
  }
  t.true((await watching.next()).done)
  t.throws(() => cache.watch({ repo: 'a/b/c' }), { code: 'ERR_INVALID_ARGUMENT', message: /repo/ })
  t.throws(() => cache.watch({ every: 5 } as WatchOptions), {
    code: 'ERR_INVALID_ARGUMENT',
    message: /every/,
  })
})

test('a watch that is awaited lives, and one that was forgotten goes', async (t) => {
  const { cache } = await openStore(t, FILES)
  await cache.scanRepo(REPO)
  let forgotten = new WeakRef({})
  const forget = async () => {
    const watching = cache.watch()
    await watching.next()
    forgotten = new WeakRef(watching)
  }
  await forget()
  t.true(await collect(() => forgotten.deref() === undefined))
  let seen: string | undefined
  const follow = async () => {
    for await (const manifest of cache.watch()) {
      seen = status(manifest)
      if (seen === 'downloaded') return
    }
  }
  const following = follow()
  await collect(() => false)
  await cache.downloadQuant(REPO, QUANT)
  await following
  t.is(seen, 'downloaded')
})

test('watches with one signal share a listener; nothing of one that was forgotten or is over stays there', async (t) => {
  const { cache } = await openStore(t, FILES)
  await cache.scanRepo(REPO)
  const { signal } = new AbortController()
  const listeners = () => getEventListeners(signal, 'abort').length
  const watched: WeakRef<object>[] = []
  const forget = async () => {
    const watching = cache.watch({ signal })
    await watching.next()
    watched.push(new WeakRef(watching))
  }
  for (let count = 0; count < 12; count += 1) await forget()
  t.true(await collect(() => watched.every((watching) => watching.deref() === undefined)))
  t.true(await collect(() => listeners() === 0))

  const held = Array.from({ length: 12 }, () => cache.watch({ signal }))
  t.is(listeners(), 1)
  await held[0]?.return?.()
  t.is(listeners(), 1)
  await cache.close()
  t.true(await collect(() => listeners() === 0), 'the end is noticed though nobody waits for a manifest')
  t.true((await held[1]?.next())?.done)
})
