import { createHash } from 'node:crypto'
import { open } from 'node:fs/promises'
import { join } from 'node:path'
import test from 'ava'
import { loadBinding } from '#dist/binding.js'
import { openCache } from '#dist/cache.js'
import { createRuntime } from '#dist/runtime.js'
import { randomBytes } from './support/content.js'
import { makeFolder } from './support/folder.js'
import { startHub } from './support/hub.js'
import { fillStore, REPO } from './support/store.js'

const MIB = 1024 * 1024
const SIZE = 9 * MIB + 12345
const BYTES = randomBytes(SIZE, 'w')
const FILES = { 'model.onnx': { size: SIZE, seed: 'w' }, 'config.json': '{"a":[1,"ü"]}', empty: '' }

test('a handle says what it is a handle of', async (t) => {
  const { cache, open } = await fillStore(t, FILES)
  const file = open('model.onnx')
  const { commit } = await cache.scanRepo(REPO)
  const value = createHash('sha256').update(BYTES).digest('hex')
  const expected = {
    repo: REPO,
    path: 'model.onnx',
    commit,
    size: SIZE,
    zeroCopy: process.platform === 'linux',
  }
  t.like(file, { ...expected, digest: { algorithm: 'sha256', value } })
})

test('buffer is the whole file in one piece, and stays the same object', async (t) => {
  const { open } = await fillStore(t, FILES)
  const file = open('model.onnx')
  t.true(file.buffer.equals(BYTES))
  t.is(file.buffer, file.buffer)
  t.is(file.buffer.byteOffset, 0)
  t.is(file.buffer.buffer.byteLength, SIZE)
  t.is(await file.arrayBuffer(), file.buffer.buffer as ArrayBuffer)
  t.is((await file.bytes()).buffer, file.buffer.buffer)
})

test('subarray takes its arguments as Buffer.subarray does, and shares the memory of buffer', async (t) => {
  const { open } = await fillStore(t, FILES)
  const file = open('model.onnx')
  const positions = [
    0,
    1,
    1.9,
    4 * MIB,
    SIZE - 1,
    SIZE,
    SIZE + 5,
    -1,
    -1.5,
    -SIZE,
    -SIZE - 5,
    Number.NaN,
    Infinity,
    -Infinity,
  ]
  for (const start of positions) {
    t.true(file.subarray(start).equals(BYTES.subarray(start)), `${start}`)
    for (const end of positions)
      t.true(file.subarray(start, end).equals(BYTES.subarray(start, end)), `${start} ${end}`)
  }
  t.is(file.subarray(7, 9).buffer, file.buffer.buffer)
  t.throws(() => file.subarray('1' as never), { code: 'ERR_INVALID_ARGUMENT', message: /^start must be/ })
})

test('small and empty files have the same API', async (t) => {
  const { open } = await fillStore(t, FILES)
  const config = open('config.json')
  t.is(await config.text(), '{"a":[1,"ü"]}')
  t.deepEqual(await config.json(), { a: [1, 'ü'] })
  t.false(config.zeroCopy)
  t.is(config.subarray(1, 4).buffer, config.buffer.buffer)
  t.is(config.digest.algorithm, 'git-sha1')
  t.deepEqual(config.extents(), [])
  const empty = open('empty')
  t.is(empty.buffer.length, 0)
  t.is((await empty.arrayBuffer()).byteLength, 0)
  t.is(await empty.text(), '')
  t.deepEqual([...empty.chunks()], [])
  t.is(empty.subarray(0).length, 0)
  t.is(await new Response(empty.stream()).text(), '')
  await t.throwsAsync(empty.json(), { instanceOf: SyntaxError })
  for (const file of [config, empty]) file.close()
})

test('stream gives the bytes of its range as they are asked for', async (t) => {
  const { open } = await fillStore(t, FILES)
  const file = open('model.onnx')
  const read = async (options?: { start?: number; end?: number }) =>
    Buffer.from(await new Response(file.stream(options)).arrayBuffer())
  t.true((await read()).equals(BYTES))
  t.true((await read({ start: 5 * MIB + 1 })).equals(BYTES.subarray(5 * MIB + 1)))
  t.true((await read({ start: 3, end: 8 })).equals(BYTES.subarray(3, 8)))
  t.is((await read({ start: SIZE, end: SIZE })).length, 0)
  for (const options of [{ start: 2, end: 1 }, { end: SIZE + 1 }, { start: -1 }]) {
    t.throws(() => file.stream(options), { code: 'ERR_INVALID_ARGUMENT' })
  }
  const reader = file.stream().getReader()
  t.is((await reader.read()).value?.buffer, file.buffer.buffer as ArrayBuffer)
  file.close()
  await t.throwsAsync(reader.read(), { code: 'ERR_CLOSED' })
})

test('a write into a buffer is private: neither the store nor the data file has it', async (t) => {
  const { open } = await fillStore(t, FILES)
  const file = open('model.onnx')
  file.buffer.fill(0)
  t.is(open('model.onnx').buffer[5], 0, 'handles of the process share it')
  for (const { file: path, offset, length } of file.extents()) {
    t.is(await readDigest(path, offset, length), createHash('sha256').update(BYTES).digest('hex'))
  }
})

test('extents tell where the bytes lie', async (t) => {
  const { open } = await fillStore(t, FILES)
  const file = open('model.onnx')
  const extents = file.extents()
  t.is(
    extents.reduce((sum, { length }) => sum + length, 0),
    SIZE,
  )
  t.is(extents.length, 1)
  t.is(await readDigest(extents[0]?.file ?? '', extents[0]?.offset ?? 0, SIZE), file.digest.value)
  file.close()
})

test('verify checks each block when it is first handed out, and names a damaged one', async (t) => {
  const { cache, open } = await fillStore(t, FILES)
  const plain = open('model.onnx')
  await damage(plain.extents()[0], 5 * MIB)
  plain.close()
  t.notThrows(() => open('model.onnx').buffer, 'without verify nothing is read')
  const checked = cache.getFile(REPO, 'model.onnx', { verify: true })
  t.true(checked?.subarray(0, 4 * MIB).equals(BYTES.subarray(0, 4 * MIB)))
  t.true(checked?.subarray(-10).equals(BYTES.subarray(-10)))
  const corrupt = { code: 'ERR_CORRUPT' }
  const error = t.throws(() => checked?.buffer, corrupt)
  t.like(error, { repo: REPO, path: 'model.onnx' })
  t.regex(
    error?.message ?? '',
    /^model\.onnx of acme\/model is damaged: .* at offset 4194304 .*verify\(\) with repair/,
  )
  t.throws(() => checked?.subarray(4 * MIB, 4 * MIB + 1), corrupt)
  await t.throwsAsync(async () => checked?.arrayBuffer(), corrupt)
  await t.throwsAsync(async () => new Response(checked?.stream()).arrayBuffer())
  t.throws(() => [...(checked?.chunks() ?? [])], corrupt)
})

test('with zeroCopy false the same calls copy', async (t) => {
  const { open } = await fillStore(t, FILES, { zeroCopy: false })
  const file = open('model.onnx')
  t.false(file.zeroCopy)
  const part = file.subarray(4 * MIB, 5 * MIB)
  t.is(part.buffer.byteLength, MIB, 'a part costs no more than itself')
  t.true(part.equals(BYTES.subarray(4 * MIB, 5 * MIB)))
  t.true(file.buffer.equals(BYTES))
  t.is(open('model.onnx').buffer, file.buffer)
  t.is(file.subarray(1, 2).buffer, file.buffer.buffer)
  t.true(Buffer.concat([...file.chunks()]).equals(BYTES))
})

test('past the limit of a Buffer the file is read in pieces', async (t) => {
  const size = 101 * MIB
  const { hub } = await startHub(t, { [REPO]: { 'big.bin': { size, seed: 'big', sparse: true } } })
  const runtime = createRuntime(loadBinding(), 100 * MIB)
  const cache = await openCache(runtime, { path: join(await makeFolder(t), 'store'), endpoint: hub.url })
  t.teardown(() => cache.close())
  const file = await cache.fetchFile(REPO, 'big.bin')
  t.throws(() => file.buffer, { code: 'ERR_TOO_LARGE', message: /chunks\(\)/ })
  await t.throwsAsync(file.arrayBuffer(), { code: 'ERR_TOO_LARGE' })
  t.throws(() => file.subarray(0), { code: 'ERR_TOO_LARGE' })
  const pieces = [...file.chunks()]
  t.deepEqual(
    pieces.map(({ length }) => length),
    [100 * MIB, MIB],
  )
  const hash = createHash('sha256')
  for (const piece of pieces) hash.update(piece)
  t.is(hash.digest('hex'), file.digest.value)
  const across = file.subarray(100 * MIB - 7, 100 * MIB + 7)
  t.true(
    across.equals(Buffer.concat([pieces[0]?.subarray(-7) ?? across, pieces[1]?.subarray(0, 7) ?? across])),
  )
  t.is(file.subarray(5, 9).buffer, pieces[0]?.buffer as ArrayBuffer, 'parts share the piece they lie in')
  file.close()
  t.deepEqual(
    [...pieces, across].map(({ length }) => length),
    [0, 0, 0],
  )
})

async function readDigest(path: string, offset: number, length: number): Promise<string> {
  const handle = await open(path)
  try {
    const { buffer } = await handle.read(Buffer.alloc(length), 0, length, offset)
    return createHash('sha256').update(buffer).digest('hex')
  } finally {
    await handle.close()
  }
}

async function damage(extent: { file: string; offset: number } | undefined, at: number): Promise<void> {
  if (!extent) throw new Error('the file has no place of its own')
  const handle = await open(extent.file, 'r+')
  try {
    await handle.write(Buffer.from('damaged'), 0, 7, extent.offset + at)
  } finally {
    await handle.close()
  }
}
