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
async function openFaulty(t: Parameters<typeof openStore>[0], fault: Fault) {
  const store = await openStore(t, onnxFiles(SIZE), { retries: 1 })
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
