import test from 'ava'
import { collect, fillStore } from '../support/store.js'

const SIZE = 3_000_000
const FILES = { 'model.onnx': { size: SIZE, seed: 'w' } }

test('a handle keeps what was written into its buffer for as long as it is open', async (t) => {
  const { open } = await fillStore(t, FILES)
  const file = open('model.onnx')
  file.buffer.fill(0x55)
  t.false(await collect(() => file.buffer[SIZE - 1] !== 0x55))
  file.close()
})
