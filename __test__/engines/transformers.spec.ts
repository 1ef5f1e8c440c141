import { once } from 'node:events'
import { readdir } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { Worker } from 'node:worker_threads'
import { ModelCache, type OpenOptions } from '@tabagent/model-cache'
import anyTest, { type ExecutionContext } from 'ava'
import { LocalHub } from '../../local-hub/index.js'
import { cdnBytes, holdAt, MIB, SLACK } from '../e2e/half-way.js'
import { type Child, type ChildError, startChild } from '../support/child.js'
import { makeFolder } from '../support/folder.js'
import { startHub } from '../support/hub.js'
import { onnxFiles } from '../support/repository.js'
import { whyNot } from './engines.js'
import { ANSWERS, DTYPES, type Dtype, expectAnswers } from './known-answers.js'
import type { LoadEvent } from './transformers-child.js'

const why = whyNot('transformers')
// One after another: each test has processes of its own with a model in memory.
const test = why === undefined ? anyTest.serial : anyTest.serial.skip
if (why !== undefined) console.log(`transformers.js is left out: ${why}`)

const EXTERNAL = 'local/all-MiniLM-L6-v2-external-data'

async function serveModels(t: ExecutionContext): Promise<LocalHub> {
  const hub = await LocalHub.start({ root: resolve('.work/hub') })
  t.teardown(() => hub.close())
  return hub
}

/** A process in which transformers.js uses a cache. */
async function startUse(t: ExecutionContext, options: OpenOptions): Promise<Child> {
  const child = startChild(t, new URL('transformers-child.js', import.meta.url))
  await child.call('use', options)
  return child
}

async function store(t: ExecutionContext): Promise<string> {
  return join(await makeFolder(t), 'store')
}

async function embed(child: Child, repo: string, options: { dtype: Dtype } & Record<string, unknown>) {
  return (await child.call('embed', repo, options)) as { vectors: Float32Array[]; events: LoadEvent[] }
}

test('all dtypes give the known answers, downloaded and, with no hub, from the store', async (t) => {
  const hub = await serveModels(t)
  const place = { path: await store(t), endpoint: hub.url }
  const first = await startUse(t, place)
  for (const dtype of DTYPES) expectAnswers(t, dtype, (await embed(first, ANSWERS.repo, { dtype })).vectors)
  // What the repository does not have is known from its listing.
  t.deepEqual(hub.log.filter({ status: 404 }), [])
  t.is(hub.log.filter({ path: /^\/api\/models/ }).length, 1)
  await hub.close()
  const second = await startUse(t, place)
  for (const dtype of DTYPES) expectAnswers(t, dtype, (await embed(second, ANSWERS.repo, { dtype })).vectors)
})

test('external data comes with its model, announced or not; offline it is there', async (t) => {
  const hub = await serveModels(t)
  const place = { path: await store(t), endpoint: hub.url }
  const first = await startUse(t, place)
  const announced = { dtype: 'fp32', use_external_data_format: true } as const
  const { vectors, events } = await embed(first, EXTERNAL, announced)
  expectAnswers(t, 'fp32', vectors)
  const weights = events.filter(({ file, status }) => status === 'progress' && file?.endsWith('.onnx_data'))
  t.is(weights.at(-1)?.loaded, weights.at(-1)?.total)
  hub.log.clear()
  const offline = await startUse(t, { ...place, offline: true })
  expectAnswers(t, 'fp32', (await embed(offline, EXTERNAL, announced)).vectors)
  const again = await embed(offline, EXTERNAL, { dtype: 'fp32' })
  expectAnswers(t, 'fp32', again.vectors)
  // Nothing moves for a model that is stored.
  const moved = again.events.filter(({ status }) => status === 'progress').map(({ file }) => file)
  t.true(moved.includes('tokenizer.json') && !moved.includes('onnx/model.onnx'))
  t.is(hub.log.records.length, 0)
})

test('a cache that cannot write hands over bytes, of external data as well', async (t) => {
  const hub = await serveModels(t)
  const place = { path: await store(t), endpoint: hub.url }
  const cache = await ModelCache.open(place)
  await cache.downloadQuant(EXTERNAL, 'fp32')
  await cache.close()
  const child = await startUse(t, { ...place, readOnly: true })
  const { vectors } = await embed(child, EXTERNAL, { dtype: 'fp32', use_external_data_format: true })
  expectAnswers(t, 'fp32', vectors)
})

test('progress of a download reaches the callback', async (t) => {
  const hub = await serveModels(t)
  const child = await startUse(t, { path: await store(t), endpoint: hub.url })
  const { events } = await embed(child, ANSWERS.repo, { dtype: 'q8' })
  const model = events.filter(({ file }) => file === 'onnx/model_quantized.onnx')
  const loaded = model.filter(({ status }) => status === 'progress').map((event) => event.loaded ?? 0)
  t.true(loaded.length > 1)
  t.deepEqual(
    loaded,
    loaded.toSorted((a, b) => a - b),
  )
  const total = events.filter(({ status }) => status === 'progress_total').at(-1)
  t.is(total?.loaded, total?.total)
  t.deepEqual([...new Set(model.map(({ status }) => status))], ['initiate', 'download', 'progress', 'done'])
  t.is(events.at(-1)?.status, 'ready')
})

test('a download that died with its process goes on in the next', async (t) => {
  const hub = await serveModels(t)
  const place = { path: await store(t), endpoint: hub.url }
  const half = 20 * MIB
  holdAt(hub, half)
  const first = await startUse(t, place)
  const loading = embed(first, ANSWERS.repo, { dtype: 'fp16' }).catch(() => {})
  await hub.log.waitFor(() => cdnBytes(hub) >= half)
  await first.kill()
  await loading
  hub.fault = undefined
  hub.log.clear()
  const second = await startUse(t, place)
  expectAnswers(t, 'fp16', (await embed(second, ANSWERS.repo, { dtype: 'fp16' })).vectors)
  t.true(cdnBytes(hub) < 46 * MIB - half + SLACK, `${cdnBytes(hub)} bytes`)
})

test('wrong bytes never reach the engine', async (t) => {
  const hub = await serveModels(t)
  const child = await startUse(t, { path: await store(t), endpoint: hub.url })
  hub.fault = ({ origin }) => (origin === 'cdn' ? { alterByte: 1_000_000 } : undefined)
  const failure = await t.throwsAsync<ChildError>(embed(child, ANSWERS.repo, { dtype: 'q8' }))
  t.is(failure?.code, 'ERR_INTEGRITY')
  hub.fault = undefined
  expectAnswers(t, 'q8', (await embed(child, ANSWERS.repo, { dtype: 'q8' })).vectors)
})

test('external data that cannot be had fails the load, and not the process', async (t) => {
  const hub = await serveModels(t)
  const child = await startUse(t, { path: await store(t), endpoint: hub.url })
  hub.fault = ({ origin }) => (origin === 'cdn' ? { alterByte: 1_000_000 } : undefined)
  const options = { dtype: 'fp32', use_external_data_format: true } as const
  const failure = await t.throwsAsync<ChildError>(embed(child, EXTERNAL, options))
  t.is(failure?.code, 'ERR_INTEGRITY')
  hub.fault = undefined
  expectAnswers(t, 'fp32', (await embed(child, EXTERNAL, options)).vectors)
})

test('a signal ends the downloads, and what came is kept', async (t) => {
  const hub = await serveModels(t)
  const place = { path: await store(t), endpoint: hub.url }
  const half = 10 * MIB
  holdAt(hub, half)
  const child = await startUse(t, place)
  const loading = embed(child, ANSWERS.repo, { dtype: 'q8' })
  await hub.log.waitFor(() => cdnBytes(hub) >= half)
  await child.call('abort')
  await t.throwsAsync(loading, { message: 'enough' })
})

test('the token and the path of an endpoint are those of the cache', async (t) => {
  const files = { 'config.json': JSON.stringify({ model_type: 'bert' }) }
  const { hub } = await startHub(
    t,
    { 'acme/secret': { files, settings: { private: true, allowed: ['hf_right'] } } },
    { tokens: ['hf_right'], prefix: '/mirror' },
  )
  const child = await startUse(t, { path: await store(t), endpoint: hub.url, token: 'hf_right' })
  t.like(await child.call('config', 'acme/secret', {}), { model_type: 'bert' })
  t.is(await child.call('fetchText', 'data:,elsewhere'), 'elsewhere')
})

test('a worker thread has its own', async (t) => {
  const hub = await serveModels(t)
  const workerData = { path: await store(t), endpoint: hub.url }
  const worker = new Worker(new URL('transformers-worker.js', import.meta.url), { workerData })
  t.teardown(() => worker.terminate())
  const [vectors] = await once(worker, 'message')
  expectAnswers(t, 'q8', vectors)
})

test('each revision has its own files', async (t) => {
  const config = (size: number) => ({
    'config.json': JSON.stringify({ model_type: 'bert', hidden_size: size }),
  })
  const settings = { branches: { main: 'acme/model', 'refs/pr/1': 'acme/other' } }
  const { hub, root } = await startHub(t, {
    'acme/model': { files: config(1), settings },
    'acme/other': config(2),
  })
  const place = { path: await store(t), endpoint: hub.url }
  const child = await startUse(t, place)
  const sizeOf = async (options: object) =>
    ((await child.call('config', 'acme/model', options)) as { hidden_size: number }).hidden_size
  t.deepEqual([await sizeOf({}), await sizeOf({ revision: 'refs/pr/1' }), await sizeOf({})], [1, 2, 1])
  hub.setRevision('acme/model', 'main', join(root, 'acme/other'))
  t.is(await sizeOf({}), 1)
  const cache = await ModelCache.open(place)
  await cache.scanRepo('acme/model')
  await cache.close()
  t.is(await sizeOf({}), 2)
})

test('what is missing is told as transformers.js does, what fails as the cache does', async (t) => {
  const { hub } = await startHub(t, {
    'acme/model': { 'README.md': '# no model\n' },
    'acme/private': { files: { 'config.json': '{}' }, settings: { private: true } },
    'acme/listed': { 'config.json': '{}' },
    'acme/gated': { files: onnxFiles(1000), settings: { gated: 'manual' as const } },
  })
  const place = { path: await store(t), endpoint: hub.url }
  const child = await startUse(t, place)
  await t.throwsAsync(child.call('config', 'acme/model', {}), { message: /Could not locate file/ })
  await t.throwsAsync(child.call('config', 'acme/nothing', {}), { message: /Could not locate|Unauthorized/ })
  await t.throwsAsync(child.call('config', 'acme/private', {}), { message: /Could not locate|Unauthorized/ })
  const gated = {
    code: 'ERR_GATED',
    message: /acme\/gated is gated: visit .*\/acme\/gated to ask for access/,
  }
  await t.throwsAsync(child.call('config', 'acme/gated', {}), gated)
  await t.throwsAsync(child.call('tokenizer', 'acme/gated'), gated)
  await t.throwsAsync(embed(child, 'acme/gated', { dtype: 'fp32' }), gated)
  const cache = await ModelCache.open(place)
  await cache.scanRepo('acme/listed')
  await cache.close()
  const offline = await startUse(t, { ...place, offline: true })
  await t.throwsAsync(offline.call('config', 'acme/model', {}), { message: /Could not locate file/ })
  for (const repo of ['acme/unknown', 'acme/listed'])
    await t.throwsAsync(offline.call('config', repo, {}), { code: 'ERR_OFFLINE' })
})

test('the registry of transformers.js sees the store, and looking downloads nothing', async (t) => {
  const hub = await serveModels(t)
  const child = await startUse(t, { path: await store(t), endpoint: hub.url })
  const options = { dtype: 'q8' } as const
  t.false(await child.call('isCached', ANSWERS.repo, options))
  t.is(cdnBytes(hub), 0)
  await embed(child, ANSWERS.repo, options)
  t.true(await child.call('isCached', ANSWERS.repo, options))
  const { filesDeleted } = (await child.call('clear', ANSWERS.repo, options)) as { filesDeleted: number }
  t.true(filesDeleted >= 4)
  t.false(await child.call('isCached', ANSWERS.repo, options))
  expectAnswers(t, 'q8', (await embed(child, ANSWERS.repo, options)).vectors)
})

test('release gives transformers.js back what it had, and lets go of the models', async (t) => {
  const hub = await serveModels(t)
  const path = await store(t)
  const child = await startUse(t, { path, endpoint: hub.url })
  await embed(child, ANSWERS.repo, { dtype: 'q8' })
  const stubs = async () =>
    (await readdir(join(path, 'model_cache_chunks'))).filter((name) => name.endsWith('.onnx'))
  t.is((await stubs()).length, 1)
  t.true(await child.call('release'))
  t.deepEqual(await stubs(), [])
})

test('what is no env of transformers.js, and unknown options, are refused by name', async (t) => {
  const child = await startUse(t, { path: await store(t) })
  const invalid = (message: RegExp) => ({ message, code: 'ERR_INVALID_ARGUMENT' })
  await t.throwsAsync(child.call('useWith', {}), invalid(/env must be/))
  await t.throwsAsync(child.call('useWith', null, { signl: 1 }), invalid(/unknown option "signl"/))
})
