import type { ModelCache } from '@tabagent/model-cache'
import test from 'ava'
import { randomBytes } from '../support/content.js'
import { onnxFiles } from '../support/repository.js'
import { openStore, REPO } from '../support/store.js'
import { quantOf } from './half-way.js'

const SIZE = 200_000
const PATH = 'onnx/model_quantized.onnx'

/** A store with a quant in it, which every mistake must leave as it is. */
async function openFilled(t: Parameters<typeof openStore>[0]) {
  const store = await openStore(t, onnxFiles(SIZE))
  await store.cache.downloadQuant(REPO, 'q8')
  store.hub.log.clear()
  const intact = () => store.cache.getFile(REPO, PATH)?.buffer.equals(randomBytes(SIZE, PATH))
  return { ...store, intact }
}

test('a quant that is not there: the message lists those that are', async (t) => {
  const { cache, hub, intact } = await openFilled(t)
  const unknown = {
    code: 'ERR_QUANT_NOT_FOUND',
    message: /acme\/model has no quant "q5".*fp16, fp32, q4, q8/,
  }
  t.like(await t.throwsAsync(cache.downloadQuant(REPO, 'q5'), unknown), { repo: REPO })
  await t.throwsAsync(cache.removeQuant(REPO, 'q5'), unknown)
  t.is(hub.log.records.length, 0)
  t.true(intact())
})

test('a file that is not there: its path and what to do', async (t) => {
  const { cache, intact } = await openFilled(t)
  const unknown = { code: 'ERR_FILE_NOT_FOUND', message: /no file.*onnx\/none\.onnx.*scan/ }
  for (const call of ['downloadFile', 'fetchFile', 'removeFile'] as const) {
    const error = await t.throwsAsync<Error>(cache[call](REPO, 'onnx/none.onnx'), unknown, call)
    t.like(error, { repo: REPO, path: 'onnx/none.onnx' }, call)
  }
  t.is(cache.getFile(REPO, 'onnx/none.onnx'), undefined)
  t.false(cache.hasFile(REPO, 'onnx/none.onnx'))
  t.true(intact())
})

test('what the store has never heard of cannot be removed, only looked for', async (t) => {
  const { cache, intact } = await openFilled(t)
  const unknown = {
    code: 'ERR_REPO_NOT_FOUND',
    message: /nothing of acme\/other is in this cache.*list the manifests/,
  }
  await t.throwsAsync(cache.removeRepo('acme/other'), unknown)
  await t.throwsAsync(cache.removeQuant('acme/other', 'q8'), unknown)
  await t.throwsAsync(cache.removeRepo(REPO, { revision: 'v9' }), {
    code: 'ERR_REPO_NOT_FOUND',
    message: /v9/,
  })
  t.is(cache.getFile('acme/other', 'x'), undefined)
  t.deepEqual(cache.listFiles('acme/other'), [])
  t.true(intact())
})

const LONG_CALLS: [string, (cache: ModelCache, options: never) => Promise<unknown>][] = [
  ['scanRepo', (cache, options) => cache.scanRepo(REPO, options)],
  ['downloadQuant', (cache, options) => cache.downloadQuant(REPO, 'q8', options)],
  ['downloadFile', (cache, options) => cache.downloadFile(REPO, PATH, options)],
  ['fetchFile', (cache, options) => cache.fetchFile(REPO, PATH, options)],
  ['removeFile', (cache, options) => cache.removeFile(REPO, PATH, options)],
  ['removeQuant', (cache, options) => cache.removeQuant(REPO, 'q8', options)],
  ['removeRepo', (cache, options) => cache.removeRepo(REPO, options)],
]

const SHORT_CALLS: [string, (cache: ModelCache, options: never) => unknown][] = [
  ['getManifest', (cache, options) => cache.getManifest(REPO, options)],
  ['hasFile', (cache, options) => cache.hasFile(REPO, PATH, options)],
  ['getFile', (cache, options) => cache.getFile(REPO, PATH, options)],
  ['listFiles', (cache, options) => cache.listFiles(REPO, options)],
]

test('every call names an option that it does not know or that has the wrong type, and does nothing', async (t) => {
  const { cache, hub, intact } = await openFilled(t)
  const wrong: [object, RegExp][] = [
    [{ revison: 'main' }, /unknown option "revison": did you mean "revision"/],
    [{ force: true }, /unknown option "force"/],
    [{ revision: 5 }, /"revision" must be a non-empty string, got 5/],
    [{ revision: '' }, /"revision" must be a non-empty string/],
  ]
  for (const [options, message] of wrong) {
    const expected = { name: 'ModelCacheError', code: 'ERR_INVALID_ARGUMENT', message }
    for (const [name, call] of LONG_CALLS) await t.throwsAsync(call(cache, options as never), expected, name)
    for (const [name, call] of SHORT_CALLS) t.throws(() => call(cache, options as never), expected, name)
  }
  t.is(hub.log.records.length, 0)
  t.true(intact())
})

test('names that cannot be ones are refused before anything is asked', async (t) => {
  const { cache, hub, intact } = await openFilled(t)
  const invalid = (message: RegExp) => ({ code: 'ERR_INVALID_ARGUMENT', message })
  for (const repo of ['', '..', '../etc', 'a/b/c', 'a b', `${hub.url}/a`, 5, null, undefined]) {
    await t.throwsAsync(cache.scanRepo(repo as never), invalid(/^repo/), String(repo))
    t.throws(() => cache.getFile(repo as never, PATH), invalid(/^repo/), String(repo))
  }
  for (const revision of ['a..b', 'a b', 'a:b', 'x'.repeat(300)]) {
    await t.throwsAsync(cache.scanRepo(REPO, { revision }), invalid(/revision/), revision)
  }
  for (const path of ['', 7, undefined]) {
    await t.throwsAsync(cache.downloadFile(REPO, path as never), invalid(/^path/), String(path))
  }
  await t.throwsAsync(cache.downloadQuant(REPO, 3 as never), invalid(/^quant must be/))
  t.is(hub.log.records.length, 0)
  t.true(intact())
})

test('paths that lead out of a repository are not files of it', async (t) => {
  const { cache } = await openFilled(t)
  for (const path of ['../model/config.json', '/etc/passwd', 'onnx/../config.json']) {
    const error = await t.throwsAsync<Error & { code?: string }>(
      cache.downloadFile(REPO, path),
      undefined,
      path,
    )
    t.true(
      ['ERR_INVALID_ARGUMENT', 'ERR_FILE_NOT_FOUND'].includes(error?.code ?? ''),
      `${path}: ${error?.code}`,
    )
  }
})

test('more than the disk can hold is refused before the first byte, with both sizes', async (t) => {
  const { cache, hub, intact } = await openFilled(t)
  const size = 2 ** 41
  const sha256 = 'ab'.repeat(32)
  const siblings = [{ rfilename: 'm-Q4_K_M.gguf', size, blobId: 'cd'.repeat(20), lfs: { sha256, size } }]
  const listing = { id: 'acme/giant', sha: 'ef'.repeat(20), tags: [], siblings }
  hub.fault = () => ({
    answer: { status: 200, headers: { 'content-type': 'application/json' }, body: JSON.stringify(listing) },
  })
  await cache.scanRepo('acme/giant')
  hub.log.clear()
  const error = await t.throwsAsync<Error & { needed?: number; available?: number }>(
    cache.downloadQuant('acme/giant', 'Q4_K_M'),
    { code: 'ERR_NO_SPACE', message: /needed.*available.*free some space/ },
  )
  t.true((error?.needed ?? 0) >= size && (error?.available ?? size) < size)
  t.is(hub.log.records.length, 0)
  t.like(quantOf(cache.getManifest('acme/giant'), 'Q4_K_M'), {
    status: 'failed',
    error: { code: 'ERR_NO_SPACE' },
  })
  t.true(intact())
})
