import { realpath } from 'node:fs/promises'
import { resolve } from 'node:path'
import { inspect } from 'node:util'
import { ModelCache } from '@tabagent/model-cache'
import test from 'ava'
import { openCache } from '#dist/cache.js'
import { openFakeCache } from './support/fake-addon.js'
import { makeFolder } from './support/folder.js'

const invalid = (message: RegExp | string) => ({
  name: 'ModelCacheError',
  code: 'ERR_INVALID_ARGUMENT',
  message,
})
const untyped = (value: unknown) => value as never

const WRONG_OPEN_OPTIONS: [object, RegExp][] = [
  [{ path: '' }, /option "path" must be a non-empty string, got ""/],
  [{ path: 5 }, /option "path" must be a non-empty string, got 5/],
  [{ endpoint: 'ftp://host' }, /option "endpoint" must be an http or https URL, got "ftp:\/\/host"/],
  [
    { endpoint: 'huggingface.co' },
    /option "endpoint" must be an http or https URL such as https:\/\/huggingface\.co, got/,
  ],
  [{ endpoint: 'localhost:80/x' }, /such as http:\/\/localhost:80\/x, got/],
  [{ endpoint: 'nowhere' }, /an http or https URL, got "nowhere"/],
  [{ token: ['a'] }, /option "token" must be a non-empty string, got an array/],
  [{ offline: 'yes' }, /option "offline" must be a boolean, got "yes"/],
  [{ readOnly: 1 }, /option "readOnly" must be a boolean/],
  [{ zeroCopy: null }, /option "zeroCopy" must be a boolean, got null/],
  [{ connections: 0 }, /option "connections" must be a whole number from 1 to 64, got 0/],
  [{ connections: 65 }, /option "connections"/],
  [{ stallTimeout: 1.5 }, /option "stallTimeout" must be a whole number of at least 1, got 1.5/],
  [{ retries: -1 }, /option "retries"/],
  [{ maxBytesPerSecond: 0 }, /option "maxBytesPerSecond" must be a whole number of at least 1, got 0/],
  [{ maxSize: 0 }, /option "maxSize" must be a whole number of at least 1, got 0/],
  [{ retries: Number.NaN }, /option "retries"/],
  [{ retires: 3 }, /unknown option "retires": did you mean "retries"\?/],
  [{ readonly: true }, /unknown option "readonly": did you mean "readOnly"\?/],
  [{ proxy: 'ftp://host' }, /option "proxy" must be a URL with a host that begins with http, https, socks5/],
  [{ proxy: { https: 'http://' } }, /option "proxy"/],
  [{ proxy: { ftp: 'http://host' } }, /option "proxy".*by "http" and "https"/],
  [{ proxy: null }, /option "proxy"/],
  [{ noProxy: ['host'] }, /option "noProxy" must be a non-empty string, got an array/],
  [{ certificateAuthority: [''] }, /option "certificateAuthority" must be a path or an array of paths/],
  [{ cacheDirectory: '/x' }, /unknown option "cacheDirectory": known are path, endpoint, /],
]

test('a cache tells how it was opened, and never the token', async (t) => {
  const path = await makeFolder(t)
  for (const [options, expected] of [
    [
      { endpoint: 'http://mirror.test/' },
      { endpoint: 'http://mirror.test', offline: false, authenticated: false },
    ],
    [
      { token: 'hf_x', offline: true },
      { offline: true, authenticated: true },
    ],
  ] as const) {
    const cache = await ModelCache.open({ path, ...options })
    t.like(cache, { path: await realpath(path), ...expected })
    t.false(inspect(cache, { showHidden: true, depth: 5 }).includes('hf_x'))
    await cache.close()
  }
})

test('open names the option that is wrong', async (t) => {
  for (const [options, message] of WRONG_OPEN_OPTIONS) {
    await t.throwsAsync(ModelCache.open(untyped(options)), invalid(message), JSON.stringify(options))
  }
  const secret = await t.throwsAsync(ModelCache.open({ proxy: 'ftp://user:secret@host' }))
  t.false(secret?.message.includes('secret'))
  for (const options of [null, 'path', 5, []]) {
    await t.throwsAsync(ModelCache.open(untyped(options)), invalid(/options must be an object/))
  }
})

test('options reach the addon as they are, those that are undefined not at all', async (t) => {
  const { runtime, opened } = await openFakeCache({})
  const options = { path: 'here', endpoint: 'http://hub', offline: true, retries: 0 }
  await openCache(runtime, options)
  const { userAgent, ...native } = opened[1] as { userAgent: string }
  t.deepEqual<object, object>(native, { ...options, path: resolve('here') })
  t.regex(userAgent, /^tabagent-model-cache\/\d+\.\d+\.\d+; node\/\d+/)
})

test('proxies and certificates reach the addon one by one, with absolute paths', async (t) => {
  const { runtime, opened } = await openFakeCache({})
  await openCache(runtime, { path: '/store', proxy: 'proxy:3128', certificateAuthority: 'ca.pem' })
  const both = {
    httpProxy: 'proxy:3128',
    httpsProxy: 'proxy:3128',
    certificateAuthorities: [resolve('ca.pem')],
  }
  t.like(opened[1], both)
  await openCache(runtime, { path: '/store', proxy: { https: 'socks5h://proxy' }, noProxy: '*' })
  t.like(opened[2], { httpProxy: undefined, httpsProxy: 'socks5h://proxy', noProxy: '*' })
  t.false('proxy' in (opened[2] as object))
})

test('repositories are `name` or `owner/name`', async (t) => {
  const { cache } = await openFakeCache({ hasFile: () => true })
  for (const repo of ['gpt2', 'acme/model', 'a.b-c_d/E.F-0', `o/${'n'.repeat(96)}`]) {
    t.true(cache.hasFile(repo, 'x'), repo)
  }
  const wrong = [
    '',
    '/',
    'a/',
    '/b',
    'a/b/c',
    'a b',
    '..',
    '.hidden',
    'a..b',
    'a/..',
    './b',
    'https://hub/a',
    'a\\b',
    'a/b?c',
    `o/${'n'.repeat(97)}`,
  ]
  for (const repo of [...wrong, 5, undefined, null]) {
    t.throws(() => cache.hasFile(untyped(repo), 'x'), invalid(/^repo must be /), String(repo))
  }
})

test('every call checks its arguments and options before the addon is asked', async (t) => {
  const { cache } = await openFakeCache({})
  const repo = 'acme/model'
  const option = (name: string) => invalid(new RegExp(`option "${name}"`))
  await t.throwsAsync(cache.scanRepo(repo, untyped({ refresh: 'yes' })), option('refresh'))
  await t.throwsAsync(cache.scanRepo(repo, untyped({ signal: {} })), option('signal'))
  await t.throwsAsync(cache.downloadQuant(repo, untyped(4)), invalid(/^quant must be/))
  await t.throwsAsync(cache.downloadQuant(repo, 'q4', untyped({ onProgress: 1 })), option('onProgress'))
  await t.throwsAsync(cache.downloadQuant(repo, 'q4', untyped({ verify: true })), option('verify'))
  await t.throwsAsync(cache.downloadFile(repo, ''), invalid(/^path must be/))
  await t.throwsAsync(cache.downloadFile(repo, 'x', untyped({ keep: 1 })), option('keep'))
  await t.throwsAsync(cache.exportQuant(repo, 'q4', untyped(1)), invalid(/^directory must be/))
  await t.throwsAsync(cache.exportFile(repo, 'x', ''), invalid(/^destination must be/))
  await t.throwsAsync(cache.importHfCache(untyped(1)), invalid(/^directory must be/))
  await t.throwsAsync(cache.importHfCache('/x', { repo: 'a/b/c' }), invalid(/option "repo" must be/))
  await t.throwsAsync(
    cache.exportQuant(repo, 'q4', '/x', untyped({ link: 'hard' })),
    invalid(/option "link" must be one of "auto", "reflink", "copy", got "hard"/),
  )
  await t.throwsAsync(cache.fetchFile(repo, 'x', untyped({ verify: 1 })), option('verify'))
  await t.throwsAsync(cache.removeFile(repo, untyped(undefined)), invalid(/^path must be .*, got undefined$/))
  await t.throwsAsync(cache.removeQuant(repo, 'q4', untyped({ force: true })), option('force'))
  await t.throwsAsync(cache.removeRepo(untyped('a/b/c')), invalid(/^repo must be/))
  t.throws(() => cache.getManifest(repo, untyped({ revision: '' })), option('revision'))
  t.throws(() => cache.getFile(repo, 'x', untyped({ verifi: true })), invalid(/did you mean "verify"\?/))
  t.throws(() => cache.hasFile(repo, 'x', untyped({ revision: 1 })), option('revision'))
  t.throws(() => cache.listFiles(repo, untyped({ revison: 'v1' })), invalid(/did you mean "revision"\?/))
})

test('options that are undefined count as absent', async (t) => {
  const asked: unknown[] = []
  const hasFile = (...parameters: unknown[]) => {
    asked.push(parameters)
    return false
  }
  const { cache } = await openFakeCache({ hasFile })
  t.false(cache.hasFile('a', 'x', untyped({ revision: undefined })))
  t.deepEqual(asked, [['a', 'x', undefined]])
})
