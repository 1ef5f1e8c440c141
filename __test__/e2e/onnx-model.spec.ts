import { stat, statfs } from 'node:fs/promises'
import { resolve } from 'node:path'
import { ModelCache, type ModelCacheError } from '@tabagent/model-cache'
import test from 'ava'
import ort from 'onnxruntime-node'
import { LocalHub } from '../../local-hub/index.js'
import { mountDisk } from '../support/disk.js'
import { makeFolder } from '../support/folder.js'
import { startHub } from '../support/hub.js'
import { externalTensor, gather, graph, model, node, rawTensor, typedTensor } from '../support/onnx.js'
import type { Files } from '../support/repository.js'
import { REPO } from '../support/store.js'
import { MIB } from './half-way.js'
import { choose, everyRow, runModel, tokens } from './onnx-session.js'
import { expectSame, PATH, ROWS, storeModel, stubs, weights } from './onnx-store.js'

const MINILM = 'sentence-transformers/all-MiniLM-L6-v2'

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
  const { cache, plain } = await storeModel(t, { [PATH]: bytes })
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
  const { cache, plain } = await storeModel(t, {
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
  const { cache, plain } = await storeModel(t, seamFiles(rows))
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
  const { cache, plain } = await storeModel(t, seamFiles(rows), disk)
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
  const { cache, plain } = await storeModel(t, {
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
  const { cache } = await storeModel(t, files)
  for (const path of Object.keys(files)) {
    const code = path === 'memory.onnx' ? 'ERR_FILE_NOT_FOUND' : 'ERR_INVALID_ARGUMENT'
    const error = await t.throwsAsync(cache.onnxModel(REPO, path), { code }, path)
    t.true(error?.message.includes(REPO), error?.message)
  }
  t.deepEqual(await stubs(cache), [])
})
