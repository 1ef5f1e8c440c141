import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import { Worker } from 'node:worker_threads'
import type { CachedFile } from '@tabagent/model-cache'
import test from 'ava'
import { loadBinding } from '#dist/binding.js'
import { openCache } from '#dist/cache.js'
import { createRuntime } from '#dist/runtime.js'
import { randomBytes } from './support/content.js'
import { collect, fillStore, openStored, REPO } from './support/store.js'

const SIZE = 3_000_000
const BYTES = randomBytes(SIZE, 'w')
const FILES = { 'model.onnx': { size: SIZE, seed: 'w' }, 'tiny.txt': 'tiny' }

test('handles of the same file share one buffer; it empties with the last of them', async (t) => {
  const { cache, open } = await fillStore(t, FILES)
  const [first, second] = [open('model.onnx'), open('model.onnx')]
  const { buffer } = first
  const part = first.subarray(10, 20)
  t.is(second.buffer, buffer)
  t.is(cache.stats().views, 1)
  first.close()
  t.is(buffer.length, SIZE, 'the other handle is open')
  second.close()
  t.is(buffer.length, 0)
  t.is(part.length, 0)
  t.true(await collect(() => cache.stats().views === 0))
  t.true(open('model.onnx').buffer.equals(BYTES), 'a new handle has the bytes again')
})

test('small files end the same way, though they are copied', async (t) => {
  const { open } = await fillStore(t, FILES)
  const file = open('tiny.txt')
  const { buffer } = file
  t.is(open('tiny.txt').buffer, buffer)
  file.close()
  t.is(buffer.toString(), 'tiny')
})

test('after close every call of the handle fails with ERR_CLOSED, except close', async (t) => {
  const { open } = await fillStore(t, FILES)
  const file = open('model.onnx')
  file.close()
  t.notThrows(() => file.close())
  const closed = { name: 'ModelCacheError', code: 'ERR_CLOSED', message: /acme\/model\/model\.onnx/ }
  const calls: ((file: CachedFile) => unknown)[] = [
    ({ buffer }) => buffer,
    (f) => f.chunks(),
    (f) => f.subarray(0, 1),
    (f) => f.subarray(0, 0),
    (f) => f.stream(),
    (f) => f.response(),
    (f) => f.extents(),
  ]
  for (const call of calls) t.throws(() => call(file), closed, String(call))
  for (const read of ['arrayBuffer', 'bytes', 'text', 'json'] as const)
    await t.throwsAsync(file[read](), closed, read)
  t.is(file.size, SIZE, 'what it was a handle of stays known')
})

test('`using` closes', async (t) => {
  const { open } = await fillStore(t, FILES)
  const file = open('model.onnx')
  const { buffer } = file
  file[Symbol.dispose]()
  t.is(buffer.length, 0)
})

test('a buffer outlives its dropped handle, whoever opens and closes the file meanwhile', async (t) => {
  const { cache, open } = await fillStore(t, FILES)
  let { buffer }: { buffer: Buffer | undefined } = open('model.onnx')
  t.true(await handlesCollected(open('model.onnx')))
  const other = open('model.onnx')
  t.is(other.buffer, buffer)
  other.close()
  t.true(buffer?.equals(BYTES))
  buffer = undefined
  t.true(await collect(() => cache.stats().views === 0))
})

test('dropped handles and buffers end the view by garbage collection', async (t) => {
  const { cache, open } = await fillStore(t, FILES)
  for (let round = 0; round < 3; round += 1) t.is(open('model.onnx').buffer.length, SIZE)
  t.true(await collect(() => cache.stats().views === 0))
})

test('a dropped handle that gave out no buffer does not keep the others from ending', async (t) => {
  const { open } = await fillStore(t, FILES)
  t.true(await handlesCollected(open('model.onnx')))
  const emptiesAtClose = () => {
    const file = open('model.onnx')
    const { buffer } = file
    file.close()
    return buffer.length === 0
  }
  t.true(await collect(emptiesAtClose), 'at the latest when its finalizer has run')
})

test('thousands of handles leave nothing behind', async (t) => {
  const { hub, path } = await fillStore(t, FILES)
  const runtime = createRuntime(loadBinding())
  const cache = await openCache(runtime, { path, endpoint: hub.url })
  const left = () => ({
    views: cache.stats().views,
    readers: cache.stats().readers,
    known: runtime.views.size,
  })
  const before = left()
  for (let round = 0; round < 10_000; round += 1) {
    const file = openStored(cache, 'model.onnx')
    if (round % 100 === 0) t.is(file.buffer.length, SIZE)
    file.close()
  }
  await collect(() => left().views === before.views)
  t.deepEqual(left(), before)
})

test('closed handles leave nothing for finalizers: a loop that never lets them run stays small', async (t) => {
  const { open } = await fillStore(t, FILES)
  const cycle = () => {
    const file = open('model.onnx')
    file.subarray(0, 1)
    file.close()
  }
  const used = () => {
    globalThis.gc?.()
    return process.memoryUsage().heapUsed
  }
  cycle()
  const before = used()
  for (let round = 0; round < 10_000; round += 1) cycle()
  t.true(used() - before < 4_000_000, 'bytes of heap')
})

test('after extents only close ends the view', async (t) => {
  const { open } = await fillStore(t, FILES)
  const handle = new WeakRef(open('model.onnx'))
  t.is(handle.deref()?.extents().length, 1)
  t.false(await collect(() => handle.deref() === undefined))
  handle.deref()?.close()
  t.true(await collect(() => handle.deref() === undefined))
})

test('views stay valid when the cache is closed', async (t) => {
  const { cache, open } = await fillStore(t, FILES)
  const { buffer } = open('model.onnx')
  await cache.close()
  t.true(buffer.equals(BYTES))
  t.throws(() => cache.getFile(REPO, 'model.onnx'), { code: 'ERR_CLOSED' })
})

test('a buffer cannot be taken away by transferring it', async (t) => {
  const { open } = await fillStore(t, FILES)
  const { buffer } = open('model.onnx')
  const memory = buffer.buffer as ArrayBuffer
  try {
    structuredClone(memory, { transfer: [memory] })
  } catch (error) {
    t.is((error as Error).name, 'DataCloneError')
  }
  t.true(buffer.equals(BYTES))
})

const READ_IN_WORKER = `
  import { parentPort, workerData } from 'node:worker_threads'
  import { ModelCache } from '@tabagent/model-cache'
  const cache = await ModelCache.open(workerData)
  const { buffer } = cache.getFile('acme/model', 'model.onnx')
  parentPort.postMessage({ length: buffer.length, first: buffer[0], views: cache.stats().views })
  parentPort.once('message', () => process.exit())
`

test('a worker thread opens the same store, and its views end with it', async (t) => {
  const { cache, open, path, hub } = await fillStore(t, FILES)
  const { buffer } = open('model.onnx')
  const worker = new Worker(
    new URL(`data:text/javascript,${encodeURIComponent(selfContained(READ_IN_WORKER))}`),
    {
      workerData: { path, endpoint: hub.url },
    },
  )
  const message = await new Promise((resolve, reject) =>
    worker.once('message', resolve).once('error', reject),
  )
  t.deepEqual(message, { length: SIZE, first: BYTES[0], views: 1 })
  const ended = new Promise((resolve) => worker.once('exit', resolve))
  worker.postMessage('end')
  await ended
  t.true(buffer.equals(BYTES), 'the view of this thread goes on')
  t.is(cache.stats().views, 1)
})

test('a process ends cleanly with views in use', async (t) => {
  const { path, hub } = await fillStore(t, FILES)
  const options = JSON.stringify({ path, endpoint: hub.url })
  const script = `
    import { ModelCache } from '@tabagent/model-cache'
    const cache = await ModelCache.open(${options})
    globalThis.kept = cache.getFile('acme/model', 'model.onnx').buffer
    process.stdout.write(String(kept.length))
  `
  const { stdout } = await promisify(execFile)(process.execPath, ['--input-type=module', '--eval', script])
  t.is(stdout, String(SIZE))
})

/** A module in a data: URL has no package around it. */
function selfContained(source: string): string {
  return source.replace('@tabagent/model-cache', import.meta.resolve('@tabagent/model-cache'))
}

/** Whether a handle that nothing else refers to is collected. */
async function handlesCollected(handle: CachedFile): Promise<boolean> {
  const reference = new WeakRef(handle)
  return collect(() => reference.deref() === undefined)
}
