import { join } from 'node:path'
import { ModelCache, type OpenOptions } from '@tabagent/model-cache'
import test from 'ava'
import { makeFolder } from '../support/folder.js'
import { expectRequests, startHub } from '../support/hub.js'
import { ggufFiles, onnxFiles, writeFiles } from '../support/repository.js'
import { openStore, REPO } from '../support/store.js'

const SIZE = 100_000

test('a scan is one request, and finds the quants with their files, sizes and status', async (t) => {
  const { cache, hub } = await openStore(t, onnxFiles(SIZE))
  const manifest = await cache.scanRepo(REPO)
  expectRequests(t, hub, { api: 1, cdn: 0 })
  t.deepEqual(Object.keys(manifest.quants).sort(), ['fp16', 'fp32', 'q4', 'q8'])
  for (const quant of Object.values(manifest.quants)) {
    t.like(quant, { format: 'onnx', status: 'available', downloaded: 0 }, quant.name)
    t.is(
      quant.size,
      quant.files.reduce((sum, { size }) => sum + size, 0),
    )
    t.false(quant.files.some(({ stored }) => stored))
  }
  const weights = manifest.quants['q8']?.files.filter(({ role }) => role === 'weights')
  t.deepEqual(
    weights?.map(({ path, size }) => [path, size]),
    [['onnx/model_quantized.onnx', SIZE]],
  )
  t.deepEqual(cache.getManifest(REPO), manifest)
})

test('the manifest says what the Hub says of the repository', async (t) => {
  const settings = {
    pipeline_tag: 'feature-extraction',
    library_name: 'transformers.js',
    tags: ['bert'],
    license: 'apache-2.0',
  }
  const { hub } = await startHub(t, { [REPO]: { files: onnxFiles(SIZE), settings } })
  const cache = await openAt(t, hub.url)
  const manifest = await cache.scanRepo(REPO)
  t.like(manifest, {
    repo: REPO,
    revision: 'main',
    pipelineTask: 'feature-extraction',
    libraryName: 'transformers.js',
    license: 'apache-2.0',
    gated: false,
    stale: false,
  })
  t.true(manifest.tags.includes('bert'))
  t.regex(manifest.commit, /^[0-9a-f]{40}$/)
  for (const { updatedAt } of Object.values(manifest.quants)) t.deepEqual(updatedAt, manifest.scannedAt)
  await cache.downloadQuant(REPO, 'q8')
  const updated = cache.getManifest(REPO)?.quants
  t.notDeepEqual(updated?.['q8']?.updatedAt, manifest.scannedAt)
  t.deepEqual(updated?.['q4']?.updatedAt, manifest.scannedAt)
})

test('a scan of a known commit asks nothing, of a branch it asks once each time', async (t) => {
  const { cache, hub } = await openStore(t, onnxFiles(SIZE))
  const { commit } = await cache.scanRepo(REPO)
  hub.log.clear()
  const known = await cache.scanRepo(REPO, { revision: commit })
  t.like(known, { commit, revision: commit, stale: false })
  expectRequests(t, hub, { api: 0, cdn: 0 })
  await cache.scanRepo(REPO)
  expectRequests(t, hub, { api: 1, cdn: 0 })
})

test('a repository that is not there: its name and what to check', async (t) => {
  const { cache, hub } = await openStore(t, onnxFiles(SIZE))
  const missing = {
    name: 'ModelCacheError',
    code: 'ERR_REPO_NOT_FOUND',
    message: /acme\/other.*check its name/,
  }
  const error = await t.throwsAsync(cache.scanRepo('acme/other'), missing)
  t.like(error, { repo: 'acme/other' })
  await t.throwsAsync(cache.downloadQuant('acme/other', 'q8'), missing)
  await t.throwsAsync(cache.downloadFile('acme/other', 'config.json'), missing)
  t.is(hub.log.filter({ origin: 'cdn' }).length, 0)
  t.is(cache.getManifest('acme/other'), undefined)
})

test('a revision that is not there: its name and what there could be', async (t) => {
  const { cache } = await openStore(t, onnxFiles(SIZE))
  const error = await t.throwsAsync(cache.scanRepo(REPO, { revision: 'v9' }), {
    code: 'ERR_REVISION_NOT_FOUND',
    message: /acme\/model.*v9.*branch, tag or commit/,
  })
  t.like(error, { repo: REPO })
  await t.throwsAsync(cache.downloadQuant(REPO, 'q8', { revision: 'v9' }), { code: 'ERR_REVISION_NOT_FOUND' })
})

test('a Hub that has had enough: when to try again', async (t) => {
  const quotas = { api: 1, resolvers: 3000, window: 300 }
  const { hub } = await startHub(t, { [REPO]: onnxFiles(SIZE), 'acme/other': onnxFiles(SIZE) }, { quotas })
  const cache = await openAt(t, hub.url, { retries: 0 })
  const { commit } = await cache.scanRepo(REPO)
  const error = await t.throwsAsync<Error & { retryAfter?: number }>(cache.scanRepo('acme/other'), {
    code: 'ERR_RATE_LIMITED',
    message: /wait, or pass a token/,
  })
  t.true((error?.retryAfter ?? 0) > 0 && (error?.retryAfter ?? 301) <= 301)
  t.is(cache.getManifest(REPO)?.commit, commit)
})

test('a gated repository can be listed by all and read by those who may', async (t) => {
  const settings = { gated: 'manual' as const, allowed: ['hf_allowed'] }
  const { hub } = await startHub(
    t,
    { [REPO]: { files: onnxFiles(SIZE), settings } },
    { tokens: ['hf_allowed'] },
  )
  const stranger = await openAt(t, hub.url)
  t.true((await stranger.scanRepo(REPO)).gated)
  await t.throwsAsync(stranger.downloadQuant(REPO, 'q8'), {
    code: 'ERR_GATED',
    message: /ask for access.*token/,
  })
  const guest = await openAt(t, hub.url, { token: 'hf_allowed' })
  t.is((await guest.downloadQuant(REPO, 'q8')).quants['q8']?.status, 'downloaded')
})

test('a private repository is there for its own only; a wrong token is said to be wrong and never printed', async (t) => {
  const settings = { private: true, allowed: ['hf_owner'] }
  const { hub } = await startHub(
    t,
    { [REPO]: { files: onnxFiles(SIZE), settings } },
    { tokens: ['hf_owner'] },
  )
  const stranger = await openAt(t, hub.url)
  await t.throwsAsync(stranger.scanRepo(REPO), {
    code: 'ERR_REPO_NOT_FOUND',
    message: /private or gated, pass a token/,
  })
  const impostor = await openAt(t, hub.url, { token: 'hf_secretword' })
  const error = await t.throwsAsync(impostor.scanRepo(REPO), { code: 'ERR_UNAUTHORIZED' })
  t.notRegex(JSON.stringify(error) + error?.stack, /secretword/)
  const owner = await openAt(t, hub.url, { token: 'hf_owner' })
  t.is((await owner.scanRepo(REPO)).repo, REPO)
})

test('a name in another case or a former name leads to the repository, also without the network', async (t) => {
  const { hub } = await startHub(t, {
    [REPO]: { files: onnxFiles(SIZE), settings: { aliases: ['acme/old'] } },
  })
  const cache = await openAt(t, hub.url)
  for (const name of ['ACME/Model', 'acme/old']) {
    t.is((await cache.scanRepo(name)).repo, REPO, name)
    t.is(cache.getManifest(name)?.repo, REPO, name)
  }
  await cache.downloadQuant('acme/old', 'Q8')
  hub.log.clear()
  await cache.downloadQuant('Acme/MODEL', 'q8')
  t.is(cache.getFile('ACME/Model', 'onnx/model_quantized.onnx')?.repo, REPO)
  expectRequests(t, hub, { api: 0, cdn: 0 })
  t.is(cache.listManifests().length, 1, 'it is one repository')
})

test('repositories of the same name at two endpoints are two repositories', async (t) => {
  const first = await startHub(t, { [REPO]: { 'a-Q4_K_M.gguf': 'the first' } })
  const second = await startHub(t, { [REPO]: { 'a-Q4_K_M.gguf': 'the second one' } })
  const path = join(await makeFolder(t), 'store')
  const here = await openAt(t, first.hub.url, { path })
  const there = await openAt(t, second.hub.url, { path })
  await here.downloadQuant(REPO, 'Q4_K_M')
  t.is(there.getManifest(REPO), undefined)
  t.false(there.hasFile(REPO, 'a-Q4_K_M.gguf'))
  await there.downloadQuant(REPO, 'Q4_K_M')
  t.is(await here.getFile(REPO, 'a-Q4_K_M.gguf')?.text(), 'the first')
  t.is(await there.getFile(REPO, 'a-Q4_K_M.gguf')?.text(), 'the second one')
  await there.removeRepo(REPO)
  t.is(await here.getFile(REPO, 'a-Q4_K_M.gguf')?.text(), 'the first')
})

test('tags and branches are their own listings of the same repository', async (t) => {
  const { hub, root } = await startHub(t, {
    [REPO]: { files: ggufFiles('m', ['Q4_K_M'], SIZE), settings: { tagged: { v1: 'v1-of-model' } } },
  })
  await writeFiles(join(root, 'v1-of-model'), ggufFiles('m', ['Q8_0'], SIZE))
  const cache = await openAt(t, hub.url)
  const main = await cache.scanRepo(REPO)
  const v1 = await cache.scanRepo(REPO, { revision: 'v1' })
  t.deepEqual([Object.keys(main.quants), Object.keys(v1.quants)], [['Q4_K_M'], ['Q8_0']])
  await cache.downloadQuant(REPO, 'Q8_0', { revision: 'v1' })
  t.true(cache.hasFile(REPO, 'm-Q8_0.gguf', { revision: 'v1' }))
  t.false(cache.hasFile(REPO, 'm-Q8_0.gguf'))
  t.deepEqual(
    cache
      .listManifests()
      .map(({ revision }) => revision)
      .sort(),
    ['main', 'v1'],
  )
})

async function openAt(
  t: Parameters<typeof makeFolder>[0],
  endpoint: string,
  options: OpenOptions = {},
): Promise<ModelCache> {
  const path = options.path ?? join(await makeFolder(t), 'store')
  const cache = await ModelCache.open({ ...options, path, endpoint })
  t.teardown(() => cache.close())
  return cache
}
