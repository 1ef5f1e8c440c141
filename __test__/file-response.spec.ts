import test from 'ava'
import { randomBytes } from './support/content.js'
import { fillStore } from './support/store.js'

const SIZE = 2_500_000
const BYTES = randomBytes(SIZE, 'w')
const FILES = { 'model.onnx': { size: SIZE, seed: 'w' }, 'config.json': '{"a":1}' }

test('response() is a Response whose arrayBuffer() is the view itself', async (t) => {
  const { open } = await fillStore(t, FILES)
  const file = open('model.onnx')
  const response = file.response()
  t.true(response instanceof Response)
  t.true(response.ok)
  t.is(response.headers.get('content-length'), String(SIZE))
  t.is(response.headers.get('content-type'), 'application/octet-stream')
  t.is(await response.arrayBuffer(), file.buffer.buffer as ArrayBuffer)
})

test('the other readers give the same bytes', async (t) => {
  const { open } = await fillStore(t, FILES)
  const file = open('model.onnx')
  t.true(BYTES.equals(new Uint8Array(await (await file.response().blob()).arrayBuffer())))
  const pieces: Uint8Array[] = []
  for await (const piece of file.response().body ?? []) pieces.push(piece)
  t.true(Buffer.concat(pieces).equals(BYTES))
  const config = open('config.json')
  t.is(config.response().headers.get('content-type'), 'application/json')
  t.deepEqual(await config.response().json(), { a: 1 })
  t.is(await config.response().text(), '{"a":1}')
})

test('a response is read once, like any other', async (t) => {
  const { open } = await fillStore(t, FILES)
  const response = open('config.json').response()
  t.false(response.bodyUsed)
  await response.text()
  t.true(response.bodyUsed)
  for (const read of ['arrayBuffer', 'text', 'json'] as const) {
    await t.throwsAsync(response[read](), { instanceOf: TypeError }, read)
  }
  t.throws(() => response.clone(), { instanceOf: TypeError })
})

test('a clone is read on its own, and is the view itself too', async (t) => {
  const { open } = await fillStore(t, FILES)
  const file = open('model.onnx')
  const response = file.response()
  const clone = response.clone()
  t.is(await response.arrayBuffer(), file.buffer.buffer as ArrayBuffer)
  t.is(await clone.arrayBuffer(), file.buffer.buffer as ArrayBuffer)
})
