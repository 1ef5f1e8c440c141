import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { ModelCache } from '@tabagent/model-cache'
import { createSession } from '@tabagent/model-cache/onnxruntime'
import test, { type ExecutionContext } from 'ava'
import { randomBytes } from '../support/content.js'
import { externalTensor, gather, model, rawTensor } from '../support/onnx.js'
import { collect, fillStore, REPO } from '../support/store.js'
import { everyRow, outputsOf } from './onnx-session.js'

const PATH = 'onnx/model.onnx'
const ROWS = 50_000
const WEIGHTS = randomBytes(ROWS * 4, 'weights').map((byte, index) =>
  index % 4 === 3 ? 0x3f : byte,
) as Buffer

/** A stored model with weights of its own and, in a second file, the same once more. */
function fill(t: ExecutionContext) {
  const initializers = [
    rawTensor('own', WEIGHTS),
    externalTensor('other', ROWS, { location: 'model.onnx_data' }),
  ]
  const nodes = [gather('own'), gather('other')]
  return fillStore(t, {
    'config.json': '{}',
    [PATH]: model(nodes, initializers, ['y_own', 'y_other']),
    'onnx/model.onnx_data': WEIGHTS,
    'onnx/refused.onnx': model([gather('none')], [rawTensor('own', WEIGHTS)], ['y_none']),
  })
}

const expected = { y_own: WEIGHTS, y_other: WEIGHTS }

/** Names of the stubs in a store. */
async function stubs({ path }: ModelCache): Promise<string[]> {
  const names = await readdir(join(path, 'model_cache_chunks'))
  return names.filter((name) => name.startsWith('stub-'))
}

test('a session has the weights of the store until it is released', async (t) => {
  const { cache } = await fill(t)
  const session = await createSession(cache, REPO, PATH)
  t.is((await stubs(cache)).length, 1)
  await cache.removeRepo(REPO)
  await cache.prune()
  t.deepEqual(await outputsOf(session, everyRow(ROWS)), expected)
  await session.release()
  t.deepEqual(await stubs(cache), [])
})

test('options go to ONNX Runtime; without prepacking the results are the same', async (t) => {
  const { cache } = await fill(t)
  const sessionOptions = {
    extra: { session: { disable_prepacking: '1' } },
    graphOptimizationLevel: 'all',
  } as const
  const session = await createSession(cache, REPO, PATH, { sessionOptions, revision: 'main' })
  t.deepEqual(await outputsOf(session, everyRow(ROWS)), expected)
  await session.release()
  // @ts-expect-error not a level
  const wrong = createSession(cache, REPO, PATH, { sessionOptions: { graphOptimizationLevel: 'none' } })
  await t.throwsAsync(wrong, { message: /graphOptimizationLevel/ })
  t.deepEqual(await stubs(cache), [])
})

test('a session that was dropped lets the store go, and not before its last run', async (t) => {
  const { cache } = await fill(t)
  const run = await createSession(cache, REPO, PATH).then((session) => outputsOf(session, everyRow(ROWS)))
  t.deepEqual(run, expected)
  const running = createSession(cache, REPO, PATH).then((session) => {
    const outputs = outputsOf(session, everyRow(ROWS))
    globalThis.gc?.()
    return outputs
  })
  t.deepEqual(await running, expected)
  let left = 1
  const isGone = () => {
    void stubs(cache).then((names) => {
      left = names.length
    })
    return left === 0
  }
  t.true(await collect(isGone))
})

test('where there can be no path it gets the bytes, those of external data too', async (t) => {
  const { cache, hub } = await fill(t)
  const { path } = cache
  await cache.close()
  const reader = await ModelCache.open({ path, endpoint: hub.url, readOnly: true })
  t.teardown(() => reader.close())
  const session = await createSession(reader, REPO, PATH)
  t.deepEqual(await outputsOf(session, everyRow(ROWS)), expected)
  t.true(reader.stats().views > 0)
  await session.release()
  t.true(await collect(() => reader.stats().views === 0))
  await t.throwsAsync(createSession(reader, REPO, 'none.onnx'), { code: 'ERR_FILE_NOT_FOUND' })
})

test('what fails leaves nothing', async (t) => {
  const { cache } = await fill(t)
  await t.throwsAsync(createSession(cache, REPO, 'onnx/refused.onnx'), { message: /none/ })
  await t.throwsAsync(createSession(cache, REPO, 'config.json'), { code: 'ERR_INVALID_ARGUMENT' })
  await t.throwsAsync(createSession(cache, REPO, 'none.onnx'), { code: 'ERR_FILE_NOT_FOUND' })
  const reason = new Error('mine')
  const aborted = createSession(cache, REPO, PATH, { signal: AbortSignal.abort(reason) })
  t.is(await t.throwsAsync(aborted), reason)
  // @ts-expect-error misspelt
  const misspelt = createSession(cache, REPO, PATH, { sessionOption: {} })
  await t.throwsAsync(misspelt, { code: 'ERR_INVALID_ARGUMENT', message: /sessionOptions/ })
  t.deepEqual(await stubs(cache), [])
})

test('what is no cache is refused by name', async (t) => {
  for (const value of [undefined, {}, 'store'])
    await t.throwsAsync(createSession(value as never, REPO, PATH), {
      code: 'ERR_INVALID_ARGUMENT',
      message: /^cache must be a ModelCache, got /,
    })
})
