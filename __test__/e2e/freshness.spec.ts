import { rm, writeFile } from 'node:fs/promises'
import { type AddressInfo, createServer } from 'node:net'
import { join } from 'node:path'
import { ModelCache, type OpenOptions } from '@tabagent/model-cache'
import test, { type ExecutionContext } from 'ava'
import type { LocalHub } from '../../local-hub/index.js'
import { randomBytes } from '../support/content.js'
import { makeFolder } from '../support/folder.js'
import { expectRequests, startHub } from '../support/hub.js'
import { onnxFiles, writeFiles } from '../support/repository.js'
import { openStored, REPO } from '../support/store.js'

const SIZE = 100_000
const PATH = 'onnx/model_quantized.onnx'

async function openScanned(t: ExecutionContext, options: OpenOptions = {}) {
  const { hub, root } = await startHub(t, { [REPO]: onnxFiles(SIZE) })
  const path = join(await makeFolder(t), 'store')
  const cache = await ModelCache.open({ path, endpoint: hub.url, ...options })
  t.teardown(() => cache.close())
  const { commit } = await cache.scanRepo(REPO)
  const change = () => writeFiles(join(root, REPO), { 'config.json': '{"changed":true}' })
  return { cache, hub, root, path, commit, change }
}

/** The only request since the log was last cleared. */
function only(t: ExecutionContext, hub: LocalHub) {
  expectRequests(t, hub, { api: 1, cdn: 0 })
  const [request] = hub.log.records
  if (!request) throw new Error('there was no request')
  hub.log.clear()
  return request
}

test('a branch that did not move: one conditional request, answered without a body', async (t) => {
  const { cache, hub } = await openScanned(t)
  const first = only(t, hub)
  t.is(first.ifNoneMatch, undefined)
  const before = cache.getManifest(REPO)
  t.deepEqual(await cache.scanRepo(REPO), before as object)
  const second = only(t, hub)
  t.regex(second.ifNoneMatch ?? '', /^W\//)
  t.like(second, { status: 304, bytesSent: 0 })
})

test('a branch that moved: the same request brings the new listing, and the next one is conditional on that', async (t) => {
  const { cache, hub, commit, change } = await openScanned(t)
  hub.log.clear()
  await change()
  const moved = await cache.scanRepo(REPO)
  t.not(moved.commit, commit)
  const first = only(t, hub)
  t.is(first.status, 200)
  t.is((await cache.scanRepo(REPO)).commit, moved.commit)
  const second = only(t, hub)
  t.is(second.status, 304)
  t.not(second.ifNoneMatch, first.ifNoneMatch)
})

test('another process, another spelling: the condition is that of the stored listing', async (t) => {
  const { hub, path, commit } = await openScanned(t)
  hub.log.clear()
  const other = await ModelCache.open({ path, endpoint: hub.url })
  t.teardown(() => other.close())
  t.is((await other.scanRepo(REPO.toUpperCase())).commit, commit)
  t.deepEqual(
    hub.log.records.map(({ status }) => status),
    [307, 304],
  )
})

test('a Hub that sends no ETag is asked for the listing each time', async (t) => {
  const { hub } = await startHub(t, { [REPO]: onnxFiles(SIZE) })
  hub.fault = () => ({ headers: { etag: undefined } })
  const cache = await ModelCache.open({ path: join(await makeFolder(t), 'store'), endpoint: hub.url })
  t.teardown(() => cache.close())
  for (const _ of [1, 2, 3]) {
    t.false((await cache.scanRepo(REPO)).stale)
    t.like(only(t, hub), { ifNoneMatch: undefined, status: 200 })
  }
})

test('refresh asks for the whole listing, of a branch as of a commit', async (t) => {
  const { cache, hub, commit } = await openScanned(t)
  hub.log.clear()
  for (const revision of ['main', commit]) {
    t.false((await cache.scanRepo(REPO, { revision, refresh: true })).stale)
    t.like(only(t, hub), { ifNoneMatch: undefined, status: 200 })
  }
})

test('a listing that was removed is no condition any more', async (t) => {
  const { cache, hub, commit, change } = await openScanned(t)
  await change()
  const moved = await cache.scanRepo(REPO)
  await cache.removeRepo(REPO, { revision: moved.commit })
  t.is(cache.getManifest(REPO)?.commit, commit)
  hub.log.clear()
  t.is((await cache.scanRepo(REPO)).commit, moved.commit)
  t.is(only(t, hub).ifNoneMatch, undefined)
})

test('a Hub out of order: the stored listing after one try, which says that it is stale, until it answers again', async (t) => {
  const { cache, hub, commit } = await openScanned(t, { stallTimeout: 500 })
  const faults: Parameters<typeof onlyFault>[1][] = [
    { drop: true },
    { answer: { status: 500 } },
    { answer: { status: 503 } },
    { answer: { status: 429, headers: { 'retry-after': '2' } } },
    { hold: new Promise(() => {}) },
  ]
  for (const fault of faults) {
    hub.log.clear()
    onlyFault(hub, fault)
    t.like(await cache.scanRepo(REPO), { commit, stale: true })
    only(t, hub)
  }
  hub.fault = undefined
  t.like(await cache.scanRepo(REPO), { commit, stale: false })
})

function onlyFault(hub: LocalHub, fault: ReturnType<NonNullable<LocalHub['fault']>>): void {
  hub.fault = () => fault
}

test('a Hub that nobody reaches: the same, also with refresh, and what is stored needs none', async (t) => {
  const { cache, hub, commit } = await openScanned(t)
  await cache.downloadQuant(REPO, 'q8')
  await hub.close()
  t.like(await cache.scanRepo(REPO), { commit, stale: true })
  t.like(await cache.scanRepo(REPO, { refresh: true }), { commit, stale: true })
  t.false((await cache.scanRepo(REPO, { revision: commit })).stale)
  t.false((await cache.downloadQuant(REPO, 'q8')).stale)
  t.true(openStored(cache, PATH).buffer.equals(randomBytes(SIZE, PATH)))
})

test('a repository that is gone or became private: an error, and what is stored stays', async (t) => {
  const { cache, hub, root, commit } = await openScanned(t)
  await cache.downloadQuant(REPO, 'q8')
  const expectGone = async () => {
    await t.throwsAsync(cache.scanRepo(REPO), { code: 'ERR_REPO_NOT_FOUND' })
    hub.log.clear()
    t.is(cache.getManifest(REPO)?.commit, commit)
    t.true(openStored(cache, PATH).buffer.equals(randomBytes(SIZE, PATH)))
    t.is((await cache.downloadQuant(REPO, 'q8')).quants['q8']?.status, 'downloaded')
    expectRequests(t, hub, { api: 0, cdn: 0 })
  }
  await writeFile(join(root, `${REPO}.json`), JSON.stringify({ private: true, allowed: ['hf_owner'] }))
  await expectGone()
  await rm(join(root, REPO), { recursive: true })
  await expectGone()
})

test('a download from a branch takes the stored listing: only scanRepo asks whether it moved', async (t) => {
  const { cache, hub, commit, change } = await openScanned(t)
  await change()
  hub.log.clear()
  await cache.downloadFile(REPO, PATH)
  t.is(hub.log.filter({ path: /^\/api\/models\// }).length, 0)
  t.is(openStored(cache, PATH).commit, commit)
})

test('offline opens no socket, whatever is asked', async (t) => {
  let connections = 0
  const server = createServer((socket) => {
    connections += 1
    socket.destroy()
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  t.teardown(() => server.close())
  const endpoint = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  const open = async (offline: boolean) => {
    const cache = await ModelCache.open({
      path: join(await makeFolder(t), 'store'),
      endpoint,
      offline,
      retries: 0,
    })
    t.teardown(() => cache.close())
    return [
      () => cache.scanRepo(REPO),
      () => cache.scanRepo(REPO, { refresh: true }),
      () => cache.scanRepo(REPO, { revision: '0'.repeat(40) }),
      () => cache.downloadQuant(REPO, 'q8'),
      () => cache.downloadFile(REPO, PATH),
      () => cache.fetchFile(REPO, PATH),
    ]
  }
  for (const call of await open(true)) await t.throwsAsync(call, { code: 'ERR_OFFLINE' })
  t.is(connections, 0)
  for (const call of await open(false)) await t.throwsAsync(call, { code: 'ERR_NETWORK' })
  t.true(connections > 0)
})
