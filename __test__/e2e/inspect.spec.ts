import { resolve } from 'node:path'
import { type Inspection, ModelCache, type Progress } from '@tabagent/model-cache'
import test from 'ava'
import { LocalHub } from '../../local-hub/index.js'
import { randomBytes } from '../support/content.js'
import { makeFolder } from '../support/folder.js'
import { ggufFile, safetensorsFile } from '../support/model-file.js'
import { gather, message, model, rawTensor } from '../support/onnx.js'
import { openStore, REPO } from '../support/store.js'
import { cdnBytes, gate, holdAt, MIB } from './half-way.js'

const SAFETENSORS = safetensorsFile({
  'embed.weight': { dtype: 'BF16', shape: [1024, 1024], bytes: 2 * MIB },
  'norm.weight': { dtype: 'F32', shape: [1024], bytes: 4096 },
  'head.weight': { dtype: 'F32', shape: [256, 1024], bytes: MIB },
})
const LARGE = safetensorsFile({ weight: { dtype: 'F32', shape: [16, MIB], bytes: 64 * MIB } })
const GGUF = ggufFile('llama', 30_000, 8192)
const WEIGHTS = ['a', 'b', 'c', 'd'].map((name) => rawTensor(name, randomBytes(MIB, name)))
const ONNX = model(
  ['a', 'b', 'c', 'd'].map((name) => gather(name)),
  WEIGHTS,
  ['y_a', 'y_b', 'y_c', 'y_d'],
)
const FILES = { 'model.safetensors': SAFETENSORS, 'model-Q8_0.gguf': GGUF, 'onnx/model.onnx': ONNX }

/** What a file says, and how much of it was sent to know that. */
const EXPECTED: Record<keyof typeof FILES, { is: Partial<Inspection>; most: number; requests: number }> = {
  'model.safetensors': {
    is: { format: 'safetensors', parameters: 1024 * 1024 + 1024 + 256 * 1024, metadata: { format: 'pt' } },
    ...{ most: 64 << 10, requests: 1 },
  },
  'model-Q8_0.gguf': {
    is: {
      ...{ format: 'gguf', version: 3, architecture: 'llama', parameters: 2 * 256 * 8192 },
      metadata: {
        'general.architecture': 'llama',
        'llama.context_length': 4096,
        'tokenizer.ggml.tokens': { type: 'string', length: 30_000 },
      },
    },
    ...{ most: 1 << 20, requests: 4 },
  },
  'onnx/model.onnx': {
    is: { format: 'onnx', version: 8, parameters: 4 * (MIB / 4), metadata: {} },
    ...{ most: 5 * (64 << 10), requests: 5 },
  },
}

for (const [path, bytes] of Object.entries(FILES)) {
  const { is, most, requests } = EXPECTED[path as keyof typeof FILES]
  test(`${path} is inspected by its first bytes, and they are not fetched again`, async (t) => {
    const { cache, hub } = await openStore(t, FILES)
    const before = await cache.inspect(REPO, path)
    t.like(before, { repo: REPO, path, size: bytes.length, ...is })
    const inspected = cdnBytes(hub)
    t.true(inspected <= most, `${inspected} bytes`)
    t.true(hub.log.filter({ origin: 'cdn' }).length <= requests)
    t.false(cache.hasFile(REPO, path))
    t.is(cache.stats().partialBytes, inspected)

    hub.log.clear()
    t.deepEqual(await cache.inspect(REPO, path), before)
    t.is(cdnBytes(hub), 0)
    await cache.downloadFile(REPO, path)
    t.is(cdnBytes(hub), bytes.length - inspected)
    using file = cache.getFile(REPO, path, { verify: true })
    t.true(file?.buffer.equals(bytes))
    t.deepEqual(await cache.inspect(REPO, path), before)
  })
}

test('an inspection takes no more of the disk than what it read', async (t) => {
  const { cache, hub } = await openStore(t, { 'model.safetensors': LARGE })
  await cache.inspect(REPO, 'model.safetensors')
  const { partialBytes, diskBytes } = cache.stats()
  t.is(partialBytes, 64 << 10)
  t.true(diskBytes < 16 * MIB, `${diskBytes} bytes`)
  hub.log.clear()
  await cache.downloadFile(REPO, 'model.safetensors')
  t.true(cache.stats().diskBytes > 64 * MIB)
  t.deepEqual((await cache.verify()).damaged, [])
})

test('tensors are where the inspection says, in every format', async (t) => {
  const { cache } = await openStore(t, FILES)
  const find = async (path: string, name: string) => {
    const { tensors, commit } = await cache.inspect(REPO, path)
    t.regex(commit, /^[0-9a-f]{40}$/)
    const tensor = tensors.find((one) => one.name === name)
    if (!tensor) throw new Error(`${path} has no ${name}`)
    return tensor
  }
  const norm = await find('model.safetensors', 'norm.weight')
  t.like(norm, { dtype: 'F32', shape: [1024], length: 4096, data: 'raw' })
  t.is(norm.offset, SAFETENSORS.length - MIB - 4096)
  const output = await find('model-Q8_0.gguf', 'output.weight')
  t.like(output, { dtype: 'Q8_0', shape: [8192, 256], length: GGUF.length - output.offset })
  const onnx = await find('onnx/model.onnx', 'c')
  t.true(ONNX.subarray(onnx.offset, onnx.offset + onnx.length).equals(randomBytes(MIB, 'c')))
  const { graph } = await cache.inspect(REPO, 'onnx/model.onnx')
  t.deepEqual(graph?.opsets, { 'ai.onnx': 17 })
  t.deepEqual(graph?.inputs, [{ name: 'ids', dtype: 'I64', shape: ['n'] }])
  t.is(graph?.outputs.length, 4)
})

test('what the models of the example say of themselves', async (t) => {
  const hub = await LocalHub.start({ root: resolve('.work/hub') })
  t.teardown(() => hub.close())
  const cache = await ModelCache.open({ path: await makeFolder(t), endpoint: hub.url })
  t.teardown(() => cache.close())
  const repo = 'sentence-transformers/all-MiniLM-L6-v2'
  for (const [path, dtype] of [
    ['onnx/model.onnx', 'F32'],
    ['onnx/model_fp16.onnx', 'F16'],
  ] as const) {
    const found = await cache.inspect(repo, path)
    t.log(
      `${path}: ${hub.log.filter({ origin: 'cdn' }).length} requests, ${cdnBytes(hub)} of ${found.size} bytes`,
    )
    t.true(cdnBytes(hub) < found.size / 4)
    t.is(found.producer, 'tabagent-model-cache')
    t.true(found.parameters > 22e6 && found.parameters < 24e6, `${found.parameters}`)
    t.true(found.tensors.some((tensor) => tensor.dtype === dtype && tensor.length > MIB))
    t.deepEqual(found.graph?.inputs.map(({ name }) => name).sort(), [
      'attention_mask',
      'input_ids',
      'token_type_ids',
    ])
    hub.log.clear()
  }
})

test('small files and those that git has are downloaded, others of no format are refused', async (t) => {
  const small = safetensorsFile({ a: { dtype: 'U8', shape: [10], bytes: 10 } })
  const { cache, hub } = await openStore(t, {
    ...{ 'small.safetensors': small, 'config.json': '{"a":1}\n', 'model.bin': { size: 5 * MIB, seed: 'x' } },
    ...{ 'damaged.onnx': Buffer.concat([message([7, 'x'.repeat(9)]), randomBytes(MIB)]) },
  })
  t.is((await cache.inspect(REPO, 'small.safetensors')).tensors[0]?.length, 10)
  t.true(cache.hasFile(REPO, 'small.safetensors'))
  const formats = { code: 'ERR_INVALID_ARGUMENT', message: /none of safetensors, GGUF and ONNX/ }
  await t.throwsAsync(cache.inspect(REPO, 'config.json'), formats)
  hub.log.clear()
  await t.throwsAsync(cache.inspect(REPO, 'model.bin'), formats)
  t.is(cdnBytes(hub), 64 << 10)
  await t.throwsAsync(cache.inspect(REPO, 'damaged.onnx'), {
    code: 'ERR_INVALID_ARGUMENT',
    message: /header is damaged in the repository itself/,
  })
  t.is(cache.stats().partialBytes, 0)
  await t.throwsAsync(cache.inspect(REPO, 'none.gguf'), { code: 'ERR_FILE_NOT_FOUND' })
  // @ts-expect-error: a misspelt option
  await t.throwsAsync(cache.inspect(REPO, 'model.bin', { revison: 'main' }), {
    code: 'ERR_INVALID_ARGUMENT',
    message: /did you mean "revision"/,
  })
})

test('offline only what is stored is inspected; without room or right to write nothing is kept', async (t) => {
  const path = 'model.safetensors'
  const { cache, hub, path: store } = await openStore(t, FILES)
  const open = async (options: object) => {
    const other = await ModelCache.open({ path: store, endpoint: hub.url, ...options })
    t.teardown(() => other.close())
    return other
  }
  await cache.scanRepo(REPO)
  const offline = await open({ offline: true })
  await t.throwsAsync(offline.inspect(REPO, path), { code: 'ERR_OFFLINE', message: /model\.safetensors/ })
  for (const options of [{ readOnly: true }, { maxSize: MIB }]) {
    const reader = await open(options)
    t.is((await reader.inspect(REPO, path)).tensors.length, 3)
    t.is(cache.stats().partialBytes, 0)
  }
  await cache.downloadFile(REPO, path)
  t.is((await offline.inspect(REPO, path)).tensors.length, 3)
})

test('an inspection does not wait for a download under way, nor disturb it', async (t) => {
  const path = 'model.safetensors'
  const { cache, hub } = await openStore(t, FILES)
  const half = holdAt(hub, MIB)
  const moving = gate()
  const onProgress = ({ loaded }: Progress) => loaded > 0 && moving.open()
  const download = cache.downloadFile(REPO, path, { onProgress })
  await moving.opened
  t.is((await cache.inspect(REPO, path)).tensors.length, 3)
  half.open()
  await download
  using file = cache.getFile(REPO, path, { verify: true })
  t.true(file?.buffer.equals(SAFETENSORS))
})

test('an abort ends an inspection', async (t) => {
  const { cache, hub } = await openStore(t, FILES)
  await cache.scanRepo(REPO)
  const asked = gate()
  const never = gate()
  hub.fault = ({ origin }) => {
    if (origin !== 'cdn') return undefined
    asked.open()
    return { hold: never.opened }
  }
  const controller = new AbortController()
  const call = cache.inspect(REPO, 'model.safetensors', { signal: controller.signal })
  await asked.opened
  controller.abort(new Error('enough'))
  await t.throwsAsync(call, { message: 'enough' })
  never.open()
})
