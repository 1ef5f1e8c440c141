import { readdir, rm, stat, statfs } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { ModelCache, type ModelCacheError } from '@tabagent/model-cache'
import test, { type ExecutionContext } from 'ava'
import ort from 'onnxruntime-node'
import { LocalHub } from '../../local-hub/index.js'
import { startChild } from '../support/child.js'
import { randomBytes } from '../support/content.js'
import { fillDisk, mountDisk } from '../support/disk.js'
import { makeFolder } from '../support/folder.js'
import { startHub } from '../support/hub.js'
import { externalTensor, gather, graph, model, node, rawTensor, typedTensor } from '../support/onnx.js'
import type { Files } from '../support/repository.js'
import { collect, REPO } from '../support/store.js'
import { MIB } from './half-way.js'
import { choose, everyRow, outputsOf, runModel, tokens } from './onnx-session.js'

const MINILM = 'sentence-transformers/all-MiniLM-L6-v2'
const PATH = 'onnx/model.onnx'
const ROWS = 50_000

/** Any weights that are numbers: small ones, so that no sum of them is infinite. */
function weights(seed: string, rows = ROWS): Buffer {
  const bytes = randomBytes(rows * 4, seed)
  for (let at = 3; at < bytes.length; at += 4) bytes[at] = 0x3f
  return bytes
}

/** A store with these files, and the folder in which they lie plain. */
async function store(t: ExecutionContext, files: Files, folder?: string) {
  const { hub, root } = await startHub(t, { [REPO]: files })
  const path = join(folder ?? (await makeFolder(t)), 'store')
  const cache = await ModelCache.open({ path, endpoint: hub.url })
  t.teardown(() => cache.close())
  for (const file of Object.keys(files)) await cache.downloadFile(REPO, file)
  return { cache, hub, plain: (file: string) => join(root, REPO, file) }
}

/** Names of the stubs' files in a store. */
async function stubs(cache: ModelCache): Promise<string[]> {
  const folders = ['model_cache_chunks', 'locks'].map((name) => readdir(join(cache.path, name)))
  return (await Promise.all(folders)).flat().filter((name) => name.startsWith('stub-'))
}

/** Expects that a stub gives the outputs of the plain file to the last bit. */
async function expectSame(
  t: ExecutionContext,
  cache: ModelCache,
  plain: string,
  feeds: Record<string, ort.Tensor>,
): Promise<number> {
  using stub = await cache.onnxModel(REPO, PATH)
  const expected = await runModel(plain, feeds)
  t.deepEqual(await runModel(stub.modelPath, feeds), expected)
  t.true(Object.values(expected).every((bytes) => bytes.length > 0))
  return (await stat(stub.modelPath)).size
}

for (const variant of ['model', 'model_fp16', 'model_quantized', 'model_q4']) {
  test(`${variant}.onnx of a real model computes the same to the last bit`, async (t) => {
    const hub = await LocalHub.start({ root: resolve('.work/hub') })
    t.teardown(() => hub.close())
    const cache = await ModelCache.open({ path: await makeFolder(t), endpoint: hub.url })
    t.teardown(() => cache.close())
    const path = `onnx/${variant}.onnx`
    const file = await cache.downloadFile(MINILM, path)
    using stub = await cache.onnxModel(MINILM, path)
    t.like(stub, { repo: MINILM, path })
    t.regex(stub.commit, /^[0-9a-f]{40}$/)
    const feeds = tokens(101, 7592, 2088, 2003, 102)
    const plain = resolve('.work/hub', MINILM, path)
    t.deepEqual(await runModel(stub.modelPath, feeds), await runModel(plain, feeds))
    const { size, mode } = await stat(stub.modelPath)
    t.log(`${size} of ${file.size} bytes`)
    t.true(size < file.size / 50)
    t.is(mode & 0o777, 0o600)
    stub.close()
    t.deepEqual(await stubs(cache), [])
  })
}

test('weights in constants, branches, typed fields and the model itself are the plain ones', async (t) => {
  const branch = (name: string) =>
    graph([gather(`w_${name}`, `o_${name}`)], [rawTensor(`w_${name}`, weights(name))], [`o_${name}`])
  const nodes = [
    gather('inline'),
    gather('typed'),
    gather('small'),
    node('Constant', [], 'constant', { value: { tensor: rawTensor('', weights('constant')) } }),
    gather('constant'),
    node('If', ['choice'], 'y_if', {
      then_branch: { graph: branch('then') },
      else_branch: { graph: branch('else') },
    }),
  ]
  const initializers = [
    rawTensor('inline', weights('inline')),
    typedTensor('typed', weights('typed')),
    rawTensor('small', weights('small', 60)),
  ]
  const outputs = ['y_inline', 'y_typed', 'y_constant', 'y_if', 'y_small']
  const bytes = model(nodes, initializers, outputs, true)
  const { cache, plain } = await store(t, { [PATH]: bytes })
  for (const choice of [true, false]) {
    const size = await expectSame(t, cache, plain(PATH), { ...everyRow(60), ...choose(choice) })
    // The typed ones stay, the other four go.
    t.true(size > ROWS * 4 && size < ROWS * 5, String(size))
  }
})

test('external files of any name, size and number are read where they lie', async (t) => {
  const [a, b, c, small] = ['a', 'b', 'c', 'small'].map((name) => weights(name)) as [
    Buffer,
    Buffer,
    Buffer,
    Buffer,
  ]
  const initializers = [
    externalTensor('a', ROWS, { location: 'model.onnx_data', offset: '7', length: String(ROWS * 4) }),
    externalTensor('b', ROWS, { location: './model.onnx_data', offset: String(7 + ROWS * 4) }),
    externalTensor('c', ROWS, { location: 'deep/er/weights', checksum: 'x' }),
    externalTensor('small', 1000, { location: 'tiny.bin', offset: '3' }),
  ]
  const names = ['a', 'b', 'c', 'small']
  const bytes = model(
    names.map((name) => gather(name)),
    initializers,
    names.map((name) => `y_${name}`),
  )
  const { cache, plain } = await store(t, {
    [PATH]: bytes,
    'onnx/model.onnx_data': Buffer.concat([Buffer.alloc(7), a, b]),
    'onnx/deep/er/weights': c,
    'onnx/tiny.bin': small.subarray(0, 4003),
  })
  t.true((await expectSame(t, cache, plain(PATH), everyRow(1000))) < 10_000)
})

/** A model with weights on both sides of the first 100 MiB of an external file. */
function seamFiles(rows: number): Files {
  const start = 100 * MIB - 150_001
  const place = (name: string, offset: number, length = rows) =>
    externalTensor(name, length, { location: 'w', offset: String(offset), length: String(length * 4) })
  const initializers = [
    place('across', start),
    place('tied', start),
    place('later', start + rows * 4),
    place('few', 100 * MIB - 1001, 500),
  ]
  const names = ['across', 'tied', 'later', 'few']
  const nodes = names.map((name) => gather(name))
  const outputs = names.map((name) => `y_${name}`)
  return {
    [PATH]: model(nodes, initializers, outputs),
    'onnx/w': Buffer.concat([Buffer.alloc(start), weights('seam', 2 * rows)]),
  }
}

test('weights across two chunks are copied beside the stub, for all who use it', async (t) => {
  const rows = 100_000
  const { cache, plain } = await store(t, seamFiles(rows))
  await expectSame(t, cache, plain(PATH), everyRow(500))
  using first = await cache.onnxModel(REPO, PATH)
  using second = await cache.onnxModel(REPO, PATH)
  t.is(second.modelPath, first.modelPath)
  const { size, mode } = await stat(first.modelPath.replace(/onnx$/, 'data'))
  t.true(size >= rows * 4 && size < rows * 4 + 200_000, String(size))
  t.is(mode & 0o777, 0o600)
  t.is((await stubs(cache)).length, 3)
})

test('on xfs such weights share the blocks of the store', async (t) => {
  const disk = await mountDisk(t, 'xfs', 1024)
  if (disk === undefined) {
    t.pass()
    return
  }
  const rows = 2_000_000
  const { cache, plain } = await store(t, seamFiles(rows), disk)
  const free = async () => {
    const { bfree, bsize } = await statfs(disk)
    return bfree * bsize
  }
  const before = await free()
  const stub = await cache.onnxModel(REPO, PATH)
  t.true(before - (await free()) < rows)
  await cache.removeRepo(REPO)
  t.deepEqual(await runModel(stub.modelPath, everyRow(500)), await runModel(plain(PATH), everyRow(500)))
  stub.close()
  await cache.close()
})

/** Takes no room at the Hub, but does in the store, and most of it once more beside the stub. */
const large = process.env['MODEL_CACHE_TEST_LARGE'] === '1' ? test : test.skip

large('a model with more than 2 GiB of weights', async (t) => {
  t.timeout(600_000)
  const length = 550 * MIB
  const names = ['a', 'b', 'c', 'd', 'e']
  const initializers = names.map((name, index) => {
    const offset = String(index * length + 3)
    return externalTensor(name, length / 4, { location: 'w', offset, length: String(length) })
  })
  const nodes = names.map((name) => gather(name))
  const outputs = names.map((name) => `y_${name}`)
  const { cache, plain } = await store(t, {
    [PATH]: model(nodes, initializers, outputs),
    'onnx/w': { size: names.length * length + 3, seed: 'w', sparse: true },
  })
  const first = Array.from({ length: ROWS }, (_, row) => BigInt(row))
  const last = first.map((row) => BigInt(length / 4) - 1n - row)
  const ids = BigInt64Array.from([...first, ...last])
  await expectSame(t, cache, plain(PATH), { ids: new ort.Tensor('int64', ids, [ids.length]) })
})

test('what is missing is named, and how to get it', async (t) => {
  const data = weights('data')
  const bytes = model([gather('a')], [externalTensor('a', ROWS, { location: 'model.onnx_data' })], ['y_a'])
  const { hub } = await startHub(t, { [REPO]: { [PATH]: bytes, 'onnx/model.onnx_data': data } })
  const cache = await ModelCache.open({ path: await makeFolder(t), endpoint: hub.url })
  t.teardown(() => cache.close())
  await t.throwsAsync(cache.onnxModel(REPO, PATH), { code: 'ERR_REPO_NOT_FOUND' })
  await cache.scanRepo(REPO)
  await t.throwsAsync(cache.onnxModel(REPO, 'onnx/none.onnx'), { code: 'ERR_FILE_NOT_FOUND' })
  await t.throwsAsync(cache.onnxModel(REPO, PATH), {
    code: 'ERR_FILE_NOT_FOUND',
    message: /download it first/,
  })
  await cache.downloadFile(REPO, PATH)
  const error = await t.throwsAsync<ModelCacheError>(cache.onnxModel(REPO, PATH), {
    code: 'ERR_FILE_NOT_FOUND',
    message: /model.onnx_data, which holds weights of onnx\/model.onnx, .*download it first/,
  })
  t.like(error, { repo: REPO, path: 'onnx/model.onnx_data' })
  await cache.downloadFile(REPO, error?.path ?? '')
  const stub = await cache.onnxModel(REPO, PATH)
  t.deepEqual((await runModel(stub.modelPath, everyRow(ROWS)))['y_a'], data)
  stub.close()
  stub.close()
  t.deepEqual(await stubs(cache), [])
})

test('a model that is damaged or points elsewhere is refused, and nothing is left', async (t) => {
  const external = (entries: Record<string, string>) =>
    model([gather('a')], [externalTensor('a', ROWS, entries)], ['y_a'])
  const good = external({ location: 'w' })
  const files: Files = {
    'config.json': '{}',
    'outside.onnx': external({ location: '../w' }),
    'absolute.onnx': external({ location: '/etc/passwd' }),
    'memory.onnx': external({ location: '*/_ORT_MEM_ADDR_/*', offset: '4096', length: '4' }),
    'nowhere.onnx': external({ offset: '0' }),
    'beyond.onnx': external({ location: 'w', offset: '1' }),
    'far.onnx': external({ location: 'w', offset: String(2n ** 64n - 1n), length: '2' }),
    'cut.onnx': good.subarray(0, good.length - 1),
    w: weights('w'),
  }
  const { cache } = await store(t, files)
  for (const path of Object.keys(files)) {
    const code = path === 'memory.onnx' ? 'ERR_FILE_NOT_FOUND' : 'ERR_INVALID_ARGUMENT'
    const error = await t.throwsAsync(cache.onnxModel(REPO, path), { code }, path)
    t.true(error?.message.includes(REPO), error?.message)
  }
  t.deepEqual(await stubs(cache), [])
})

test('a model goes on while it is removed and its place is used again; a new one has a stub of its own', async (t) => {
  const files = { [PATH]: model([gather('a')], [rawTensor('a', weights('a'))], ['y_a']) }
  const { cache } = await store(t, { ...files, other: { size: 3 * MIB, seed: 'other' } })
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
  const { cache } = await store(t, files, disk)
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
  const { cache } = await store(t, { [PATH]: model([gather('a')], [rawTensor('a', weights('a'))], ['y_a']) })
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
  const { cache, hub } = await store(t, files)
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
  const { cache, hub } = await store(t, {
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
  await t.throwsAsync(reader.onnxModel(REPO, PATH), { code: 'ERR_READ_ONLY', message: /without readOnly/ })
})
