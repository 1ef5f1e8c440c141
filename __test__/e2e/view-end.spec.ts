import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import { Worker } from 'node:worker_threads'
import test from 'ava'
import { randomBytes } from '../support/content.js'
import { collect, fillStore, openStored, REPO } from '../support/store.js'
import { MIB } from './half-way.js'

const SIZE = 5 * MIB
const FILES = { 'model.onnx': { size: SIZE, seed: 'w' } }
const library = import.meta.resolve('@tabagent/model-cache')

/** Runs a module in a process of its own, where `cache` is open, and returns how it ended. */
async function run(options: object, body: string): Promise<{ code: number; stdout: string; stderr: string }> {
  const script = `
    import { ModelCache } from ${JSON.stringify(library)}
    const cache = await ModelCache.open(${JSON.stringify(options)})
    globalThis.kept = cache.getFile('${REPO}', 'model.onnx').buffer
    ${body}`
  const started = promisify(execFile)(process.execPath, [
    '--expose-gc',
    '--input-type=module',
    '--eval',
    script,
  ])
  return started.then(
    ({ stdout, stderr }) => ({ code: 0, stdout, stderr }),
    ({ code, stdout, stderr }) => ({ code, stdout, stderr }),
  )
}

const ENDS: [string, string, number][] = [
  ['the last line', 'kept[0] = 1', 0],
  ['process.exit', 'process.exit(7)', 7],
  [
    'process.exit in the middle of a read',
    'cache.getFile("acme/model", "model.onnx").stream().getReader().read().then(() => process.exit(5))',
    5,
  ],
  ['an exception that nobody catches', 'throw new Error("on purpose")', 1],
  ['a close of the cache', 'await cache.close(); process.exitCode = kept.length === 0 ? 1 : 3', 3],
]

for (const [name, body, code] of ENDS) {
  test(`a process with a view in use ends with ${name} as any other`, async (t) => {
    const { path, hub } = await fillStore(t, FILES)
    const ended = await run({ path, endpoint: hub.url }, body)
    t.is(ended.code, code, ended.stderr)
    t.notRegex(ended.stderr, /FATAL|Segmentation|panicked/)
  })
}

const READ_IN_WORKER = `
  import { createHash } from 'node:crypto'
  import { parentPort, workerData } from 'node:worker_threads'
  const { ModelCache } = await import(workerData.library)
  const cache = await ModelCache.open(workerData.options)
  const { buffer } = cache.getFile('acme/model', 'model.onnx')
  parentPort.postMessage(createHash('sha256').update(buffer).digest('hex'))
  // From here on it does nothing but use its view until it is ended.
  for (let at = 0; ; at = (at + 4096) % buffer.length) globalThis.sum = (globalThis.sum ?? 0) + buffer[at]
`

test('workers read the same memory at once; terminated in the middle of it they leave nothing', async (t) => {
  const { cache, path, hub } = await fillStore(t, FILES)
  const file = openStored(cache, 'model.onnx')
  const { buffer } = file
  const readers = cache.stats().readers
  const workers = [1, 2, 3].map(
    () =>
      new Worker(new URL(`data:text/javascript,${encodeURIComponent(READ_IN_WORKER)}`), {
        workerData: { library, options: { path, endpoint: hub.url } },
      }),
  )
  const digest = (worker: Worker) =>
    new Promise((resolve, reject) => worker.once('message', resolve).once('error', reject))
  const digests = await Promise.all(workers.map(digest))
  t.deepEqual(
    digests,
    [1, 2, 3].map(() => file.digest.value),
  )
  await Promise.all(workers.map((worker) => worker.terminate()))
  t.true(await collect(() => cache.stats().views === 1 && cache.stats().readers === readers))
  t.true(buffer.equals(randomBytes(SIZE, 'w')), 'the view of this thread goes on')
  file.close()
  t.true(await collect(() => cache.stats().views === 0))
})

test('the garbage collector alone ends the views of a process', async (t) => {
  const { path, hub } = await fillStore(t, FILES)
  const ended = await run(
    { path, endpoint: hub.url },
    `let collected = 0
    const registry = new FinalizationRegistry(() => { collected += 1 })
    registry.register(kept.buffer)
    globalThis.kept = undefined
    for (let turn = 0; turn < 50 && !(collected === 1 && cache.stats().views === 0); turn += 1) {
      gc()
      await new Promise((resolve) => setImmediate(resolve))
    }
    process.stdout.write(collected + ' ' + cache.stats().views)`,
  )
  t.is(ended.stdout, '1 0', ended.stderr)
})
