import { rm } from 'node:fs/promises'
import { ModelCache } from '@tabagent/model-cache'
import test from 'ava'
import ort from 'onnxruntime-node'
import { startChild } from '../support/child.js'
import { fillDisk, mountDisk } from '../support/disk.js'
import { makeFolder } from '../support/folder.js'
import { startHub } from '../support/hub.js'
import { externalTensor, gather, model, rawTensor, typedTensor } from '../support/onnx.js'
import { collect, REPO } from '../support/store.js'
import { MIB } from './half-way.js'
import { everyRow, outputsOf, runModel } from './onnx-session.js'
import { PATH, ROWS, storeModel, stubs, weights } from './onnx-store.js'

test('a model goes on while it is removed and its place is used again; a new one has a stub of its own', async (t) => {
  const files = { [PATH]: model([gather('a')], [rawTensor('a', weights('a'))], ['y_a']) }
  const { cache } = await storeModel(t, { ...files, other: { size: 3 * MIB, seed: 'other' } })
  const old = await cache.onnxModel(REPO, PATH)
  const session = await ort.InferenceSession.create(old.modelPath)
  await cache.removeRepo(REPO)
  await cache.prune()
  await cache.downloadFile(REPO, 'other')
  await cache.downloadFile(REPO, PATH)
  const fresh = await cache.onnxModel(REPO, PATH)
  t.not(fresh.modelPath, old.modelPath)
  for (const { modelPath } of [old, fresh]) {
    t.deepEqual((await runModel(modelPath, everyRow(ROWS)))['y_a'], weights('a'))
  }
  t.deepEqual((await outputsOf(session, everyRow(ROWS)))['y_a'], weights('a'))
  await session.release()
  old.close()
  t.is((await stubs(cache)).length, 2)
  // Valid after the cache is closed, as views are.
  await cache.close()
  t.deepEqual((await runModel(fresh.modelPath, everyRow(ROWS)))['y_a'], weights('a'))
  fresh.close()
  t.deepEqual(await stubs(cache), [])
})

test('a disk that is full is told, and nothing is left', async (t) => {
  const disk = await mountDisk(t, 'ext4', 800)
  if (disk === undefined) {
    t.pass()
    return
  }
  const files = { [PATH]: model([gather('a')], [typedTensor('a', weights('a'))], ['y_a']) }
  const { cache } = await storeModel(t, files, disk)
  const filler = await fillDisk(disk)
  await t.throwsAsync(cache.onnxModel(REPO, PATH), { code: 'ERR_NO_SPACE' })
  t.deepEqual(await stubs(cache), [])
  await rm(filler)
  const stub = await cache.onnxModel(REPO, PATH)
  t.deepEqual((await runModel(stub.modelPath, everyRow(ROWS)))['y_a'], weights('a'))
  stub.close()
  await cache.close()
})

test('what a model needs is not evicted while it is open', async (t) => {
  const data = weights('a')
  const bytes = model([gather('a')], [externalTensor('a', ROWS, { location: 'model.onnx_data' })], ['y_a'])
  const files = { 'config.json': '{}', [PATH]: bytes, 'onnx/model.onnx_data': data }
  const { hub } = await startHub(t, { [REPO]: files })
  const cache = await ModelCache.open({ path: await makeFolder(t), endpoint: hub.url })
  t.teardown(() => cache.close())
  await cache.downloadQuant(REPO, 'fp32')
  const stub = await cache.onnxModel(REPO, PATH)
  t.deepEqual((await cache.prune({ maxSize: 0 })).quants, [])
  t.deepEqual((await runModel(stub.modelPath, everyRow(ROWS)))['y_a'], data)
  stub.close()
  t.deepEqual((await cache.prune({ maxSize: 0 })).quants, [{ repo: REPO, quant: 'fp32' }])
  await t.throwsAsync(cache.onnxModel(REPO, PATH), { code: 'ERR_FILE_NOT_FOUND' })
})

test('only close() ends a model', async (t) => {
  const { cache } = await storeModel(t, {
    [PATH]: model([gather('a')], [rawTensor('a', weights('a'))], ['y_a']),
  })
  const path = await cache.onnxModel(REPO, PATH).then(({ modelPath }) => modelPath)
  const marked = new WeakRef({})
  t.true(await collect(() => marked.deref() === undefined))
  t.deepEqual((await runModel(path, everyRow(ROWS)))['y_a'], weights('a'))
})

test('processes share a stub; what a killed one leaves goes with the next model or with prune', async (t) => {
  const files = {
    [PATH]: model([gather('a')], [rawTensor('a', weights('a'))], ['y_a']),
    'b.onnx': model([gather('b')], [rawTensor('b', weights('b'))], ['y_b']),
  }
  const { cache, hub } = await storeModel(t, files)
  const options = { path: cache.path, endpoint: hub.url }
  const start = async (path: string) => {
    const child = startChild(t, new URL('./onnx-model-child.js', import.meta.url))
    return { child, modelPath: (await child.call('load', options, REPO, path)) as string }
  }
  const { child: first, modelPath } = await start(PATH)
  const { child: second, modelPath: shared } = await start(PATH)
  t.is(shared, modelPath)
  await first.kill()
  const mine = await cache.onnxModel(REPO, PATH)
  t.is(mine.modelPath, modelPath)
  mine.close()
  const seen = (await second.call('run', ROWS)) as Record<string, Uint8Array>
  t.deepEqual(Buffer.from(seen['y_a'] ?? []), weights('a'))
  t.is((await cache.prune()).orphans, 0)
  await second.kill()
  t.is((await stubs(cache)).length, 2)
  // Of the same place: it is drawn again.
  const again = await cache.onnxModel(REPO, PATH)
  t.deepEqual((await runModel(again.modelPath, everyRow(ROWS)))['y_a'], weights('a'))
  again.close()
  const { child: third } = await start(PATH)
  await third.kill()
  const other = await cache.onnxModel(REPO, 'b.onnx')
  t.is((await stubs(cache)).length, 2)
  other.close()
  const { child: fourth } = await start('b.onnx')
  await fourth.kill()
  t.is((await cache.prune({ dryRun: true })).orphans, 1)
  t.is((await cache.prune()).orphans, 1)
  t.deepEqual(await stubs(cache), [])
  const { child: fifth } = await start('b.onnx')
  await fifth.end()
  t.deepEqual(await stubs(cache), [], 'a process that ends leaves nothing')
})

test('a cache that is read-only says what to do; options are checked; a call can be aborted', async (t) => {
  const { cache, hub } = await storeModel(t, {
    [PATH]: model([gather('a')], [rawTensor('a', weights('a'))], ['y_a']),
  })
  const reason = new Error('mine')
  t.is(await t.throwsAsync(cache.onnxModel(REPO, PATH, { signal: AbortSignal.abort(reason) })), reason)
  const controller = new AbortController()
  const call = cache.onnxModel(REPO, PATH, { signal: controller.signal })
  controller.abort(reason)
  t.is(await t.throwsAsync(call), reason)
  // @ts-expect-error there is no such option
  const unknown = cache.onnxModel(REPO, PATH, { verify: true })
  await t.throwsAsync(unknown, { code: 'ERR_INVALID_ARGUMENT', message: /verify/ })
  const { path } = cache
  await cache.close()
  await t.throwsAsync(cache.onnxModel(REPO, PATH), { code: 'ERR_CLOSED' })
  t.deepEqual(await stubs(cache), [])
  const reader = await ModelCache.open({ path, endpoint: hub.url, readOnly: true })
  t.teardown(() => reader.close())
  await t.throwsAsync(reader.onnxModel(REPO, PATH), {
    code: 'ERR_READ_ONLY',
    message: /hand its bytes to the engine, or open the cache to be written/,
  })
})
