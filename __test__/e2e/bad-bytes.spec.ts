import { createHash } from 'node:crypto'
import test from 'ava'
import type { Fault } from '../../local-hub/index.js'
import { randomBytes } from '../support/content.js'
import { onnxFiles } from '../support/repository.js'
import { openStore, REPO } from '../support/store.js'
import { cdnBytes, ONE_BODY, quantOf } from './half-way.js'

const SIZE = ONE_BODY
const ALTERED = 1_500_000
const STORED = 'onnx/model_q4.onnx'
const PATH = 'onnx/model_quantized.onnx'

/** A store with q4 in it, at a hub with something wrong in its storage origin from now on. */
async function openFaulty(
  t: Parameters<typeof openStore>[0],
  fault: Fault,
  options: { retries?: number } = {},
) {
  const store = await openStore(t, onnxFiles(SIZE), { retries: 1, ...options })
  await store.cache.downloadQuant(REPO, 'q4')
  store.hub.log.clear()
  store.hub.fault = ({ origin }) => (origin === 'cdn' ? fault : undefined)
  const intact = () => store.cache.getFile(REPO, STORED)?.buffer.equals(randomBytes(SIZE, STORED))
  const right = () => store.cache.getFile(REPO, PATH)?.buffer.equals(randomBytes(SIZE, PATH))
  const q8 = () => quantOf(store.cache.getManifest(REPO), 'q8')
  return { ...store, intact, right, q8 }
}

test('one altered byte: both digests are told, nothing is served, and the next try begins anew', async (t) => {
  const { cache, hub, intact, right, q8 } = await openFaulty(t, { alterByte: ALTERED })
  const bytes = randomBytes(SIZE, PATH)
  const expected = createHash('sha256').update(bytes).digest('hex')
  bytes[ALTERED] = (bytes[ALTERED] ?? 0) ^ 0xff
  const actual = createHash('sha256').update(bytes).digest('hex')
  const error = await t.throwsAsync(cache.downloadQuant(REPO, 'q8'), { code: 'ERR_INTEGRITY' })
  t.like(error, { repo: REPO, path: PATH, expected, actual })
  t.true(
    [PATH, expected, actual].every((part) => error?.message.includes(part)),
    error?.message,
  )
  t.false(cache.hasFile(REPO, PATH))
  t.is(cache.getFile(REPO, PATH), undefined)
  t.like(q8(), { status: 'failed', error: { code: 'ERR_INTEGRITY', message: error?.message ?? '' } })
  t.true(intact())
  hub.fault = undefined
  hub.log.clear()
  t.is(quantOf(await cache.downloadQuant(REPO, 'q8'), 'q8').status, 'downloaded')
  t.is(cdnBytes(hub), SIZE)
  t.true(right())
  t.is(q8().error, undefined)
})

test('an altered byte in a file that git keeps', async (t) => {
  const { cache, hub } = await openStore(t, onnxFiles(SIZE))
  hub.fault = ({ path }) => (/resolve-cache.*\/config\.json$/.test(path) ? { alterByte: 3 } : undefined)
  const error = await t.throwsAsync(cache.downloadQuant(REPO, 'q8'), { code: 'ERR_INTEGRITY' })
  t.like(error, { repo: REPO, path: 'config.json' })
  t.regex((error as { expected?: string }).expected ?? '', /^[0-9a-f]{40}$/)
  t.is(cache.getFile(REPO, 'config.json'), undefined)
  hub.fault = undefined
  await cache.downloadQuant(REPO, 'q8')
  t.is(await cache.getFile(REPO, 'config.json')?.text(), '{"model_type":"bert"}\n')
})

test('a truncated body is continued where it broke off', async (t) => {
  const { cache, hub, right } = await openFaulty(t, {})
  let cut = false
  hub.fault = ({ origin }) => {
    if (origin !== 'cdn' || cut) return undefined
    cut = true
    return { cutAfter: SIZE / 2 }
  }
  await cache.downloadQuant(REPO, 'q8')
  t.true(right())
  const [first, second] = hub.log.filter({ origin: 'cdn' })
  t.is(first?.range, `bytes=0-${SIZE - 1}`)
  t.regex(second?.range ?? '', /^bytes=[1-9]/)
})

test('a body that always breaks off before its first byte fails with ERR_NETWORK', async (t) => {
  const { cache, hub, intact, q8, right } = await openFaulty(t, { cutAfter: 0 })
  const error = await t.throwsAsync(cache.downloadQuant(REPO, 'q8'), {
    code: 'ERR_NETWORK',
    message: /try again/,
  })
  t.notRegex(`${error?.message}${JSON.stringify(error)}`, /Signature|Expires/)
  t.like(q8(), { status: 'failed', error: { code: 'ERR_NETWORK' } })
  t.is(cache.getFile(REPO, PATH), undefined)
  t.true(intact())
  hub.fault = undefined
  await cache.downloadQuant(REPO, 'q8')
  t.true(right())
})

test('an error page in place of the bytes is not stored', async (t) => {
  const page = { status: 200, headers: { 'content-type': 'text/html' }, body: '<html>Sign in</html>' }
  const { cache, hub, intact, right } = await openFaulty(t, { answer: page })
  const error = await t.throwsAsync<Error & { code?: string }>(cache.downloadQuant(REPO, 'q8'))
  t.true(['ERR_HTTP', 'ERR_NETWORK', 'ERR_INTEGRITY'].includes(error?.code ?? ''), error?.message)
  t.is(cache.getFile(REPO, PATH), undefined)
  t.true(intact())
  hub.fault = undefined
  await cache.downloadQuant(REPO, 'q8')
  t.true(right())
})

test('another size than listed is not stored', async (t) => {
  const { cache, intact } = await openFaulty(t, {
    headers: { 'content-range': `bytes 0-${SIZE}/${SIZE + 1}` },
  })
  const error = await t.throwsAsync<Error & { code?: string }>(cache.downloadQuant(REPO, 'q8'))
  t.true(['ERR_HTTP', 'ERR_NETWORK', 'ERR_INTEGRITY'].includes(error?.code ?? ''), error?.message)
  t.is(cache.getFile(REPO, PATH), undefined)
  t.true(intact())
})

test('a server that ignores the range sends the whole file once', async (t) => {
  const { cache, hub, right } = await openFaulty(t, { ignoreRange: true })
  await cache.downloadQuant(REPO, 'q8')
  t.true(right())
  t.is(cdnBytes(hub), SIZE)
})

test('a signed address that has ended is asked for anew', async (t) => {
  const { cache, hub, right } = await openFaulty(t, {})
  let expired = false
  hub.fault = ({ origin }) => {
    if (origin === 'cdn' && !expired) {
      expired = true
      hub.expireUrls()
    }
    return undefined
  }
  await cache.downloadQuant(REPO, 'q8')
  t.true(right())
  t.deepEqual(
    hub.log.filter({ origin: 'cdn' }).map(({ status }) => status),
    [403, 206],
  )
})

test('a busy server is asked again', async (t) => {
  const { cache, hub, right } = await openFaulty(t, {}, { retries: 2 })
  const busy = new Set(['api', 'cdn'])
  hub.fault = ({ origin }) => (busy.delete(origin) ? { answer: { status: 503 } } : undefined)
  await cache.downloadQuant(REPO, 'q8')
  t.true(right())
  t.is(hub.log.filter({ status: 503 }).length, 2)
})
