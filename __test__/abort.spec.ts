import { getEventListeners } from 'node:events'
import test from 'ava'
import { EMPTY_MANIFEST, openFakeCache, PendingCall } from './support/fake-addon.js'

async function openScan() {
  const scan = new PendingCall<string>()
  return { scan, ...(await openFakeCache({ scanRepo: scan.call })) }
}

/** Node's DOMException is no Error to AVA. */
async function failure(call: Promise<unknown>): Promise<Error> {
  return call.then(
    () => new Error('the call succeeded'),
    (error: Error) => error,
  )
}

test('an aborted call rejects with the reason itself, without waiting for the addon, which lets the caller go', async (t) => {
  const { cache, scan } = await openScan()
  const controller = new AbortController()
  const reason = { any: 'value' }
  const call = cache.scanRepo('acme/model', { signal: controller.signal })
  controller.abort(reason)
  t.is(await call.catch((error: unknown) => error), reason)
  t.true(scan.operation.cancelled)
})

test('without a reason of its own an abort rejects with an AbortError', async (t) => {
  const { cache } = await openScan()
  const controller = new AbortController()
  const call = cache.scanRepo('acme/model', { signal: controller.signal })
  controller.abort()
  t.is((await failure(call)).name, 'AbortError')
})

test('a call with an aborted signal never starts', async (t) => {
  const { cache, scan, operations } = await openScan()
  const reason = new Error('before')
  const error = await t.throwsAsync(cache.scanRepo('acme/model', { signal: AbortSignal.abort(reason) }))
  t.is(error, reason)
  t.is(scan.started.length, 0)
  t.is(operations.length, 0)
})

test('a settled call leaves no listener on the signal, and an abort after it does nothing', async (t) => {
  const { cache, scan } = await openScan()
  const controller = new AbortController()
  const call = cache.scanRepo('acme/model', { signal: controller.signal })
  t.is(getEventListeners(controller.signal, 'abort').length, 1)
  scan.resolve(EMPTY_MANIFEST)
  await call
  t.is(getEventListeners(controller.signal, 'abort').length, 0)
  controller.abort()
  t.false(scan.operation.cancelled)
})

test('a failed and an aborted call leave no listener either', async (t) => {
  const { cache, scan } = await openScan()
  const signals = [new AbortController(), new AbortController()] as const
  const calls = signals.map(({ signal }) => cache.scanRepo('acme/model', { signal }))
  signals[0].abort()
  scan.reject(new Error('native'))
  t.deepEqual(
    (await Promise.allSettled(calls)).map(({ status }) => status),
    ['rejected', 'rejected'],
  )
  for (const { signal } of signals) t.is(getEventListeners(signal, 'abort').length, 0)
})

test('many calls with one signal share a listener, of which Node has nothing to say, and all are ended', async (t) => {
  const warnings: Error[] = []
  const note = (warning: Error) => warnings.push(warning)
  process.on('warning', note)
  t.teardown(() => process.off('warning', note))
  const { cache, operations } = await openScan()
  const controller = new AbortController()
  const { signal } = controller
  const calls = Array.from({ length: 20 }, () => cache.scanRepo('acme/model', { signal }))
  t.is(getEventListeners(signal, 'abort').length, 1)
  const reason = new Error('enough')
  controller.abort(reason)
  const outcomes = await Promise.allSettled(calls)
  t.true(outcomes.every((outcome) => outcome.status === 'rejected' && outcome.reason === reason))
  t.true(operations.length === 20 && operations.every(({ cancelled }) => cancelled))
  await new Promise((resolve) => setImmediate(resolve))
  t.deepEqual(warnings, [])
})

test('a call that ends leaves those of the same signal their part in its listener', async (t) => {
  const { cache, scan } = await openScan()
  const fetching = new PendingCall<never>()
  const other = await openFakeCache({ fetchFile: fetching.call })
  const { signal } = new AbortController()
  const calls = [cache.scanRepo('acme/model', { signal }), other.cache.fetchFile('a/b', 'c', { signal })]
  scan.resolve(EMPTY_MANIFEST)
  await calls[0]
  t.is(getEventListeners(signal, 'abort').length, 1)
  fetching.reject(new Error('native'))
  await t.throwsAsync(calls[1] as Promise<unknown>)
  t.is(getEventListeners(signal, 'abort').length, 0)
})

test('a signal is what it can do: one of a polyfill works, one that cannot be left is refused', async (t) => {
  const { cache, scan } = await openScan()
  const target = new EventTarget()
  const signal = {
    aborted: false,
    addEventListener: target.addEventListener.bind(target),
    removeEventListener: target.removeEventListener.bind(target),
  }
  const { removeEventListener: _, ...endless } = signal
  await t.throwsAsync(cache.scanRepo('acme/model', { signal: endless as never }), {
    code: 'ERR_INVALID_ARGUMENT',
    message: 'option "signal" must be an AbortSignal, got an object',
  })
  t.is(scan.started.length, 0)
  const call = cache.scanRepo('acme/model', { signal: signal as never })
  signal.aborted = true
  target.dispatchEvent(new Event('abort'))
  t.is((await failure(call)).name, 'AbortError')
  t.is((await failure(cache.scanRepo('acme/model', { signal: signal as never }))).name, 'AbortError')
})

test('what the addon says after an abort is no unhandled rejection', async (t) => {
  const unhandled: unknown[] = []
  const note = (error: unknown) => unhandled.push(error)
  process.on('unhandledRejection', note)
  t.teardown(() => process.off('unhandledRejection', note))
  const { cache, scan } = await openScan()
  const controller = new AbortController()
  const call = cache.scanRepo('acme/model', { signal: controller.signal })
  controller.abort()
  await failure(call)
  scan.reject(new Error('too late'))
  await new Promise((resolve) => setImmediate(resolve))
  t.deepEqual(unhandled, [])
})

test('a file that arrives after the abort is closed', async (t) => {
  const fetching = new PendingCall<never>()
  const { cache } = await openFakeCache({ fetchFile: fetching.call })
  const controller = new AbortController()
  const call = cache.fetchFile('acme/model', 'model.onnx', { signal: controller.signal })
  controller.abort()
  await failure(call)
  const closed = new Promise<void>((close) => fetching.resolve({ close } as never))
  await t.notThrowsAsync(closed)
})
