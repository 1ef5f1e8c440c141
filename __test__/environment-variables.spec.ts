import { writeFile } from 'node:fs/promises'
import { homedir } from 'node:os'
import { isAbsolute, join } from 'node:path'
import test from 'ava'
import { defaultFolder, hfCacheFolder, readEnvironment } from '#dist/environment-variables.js'
import { makeFolder } from './support/folder.js'

/** No token file: the one of the machine's user is no part of a test. */
const NO_TOKEN = { HF_TOKEN_PATH: join('/', 'nowhere', 'token') }

test('without variables only offline is set', async (t) => {
  t.deepEqual(await readEnvironment({}, NO_TOKEN), { offline: false })
})

test('the folder of last resort lies in the cache directory of the platform', async (t) => {
  const folder = await defaultFolder()
  t.true(isAbsolute(folder))
  t.true(folder.endsWith('model-cache') && folder.includes('tabagent'), folder)
})

test('folder and endpoint come from their variables; empty ones count as unset', async (t) => {
  const set = await readEnvironment(
    {},
    { ...NO_TOKEN, MODEL_CACHE_DIR: '/models', HF_ENDPOINT: 'http://hub' },
  )
  t.like(set, { path: '/models', endpoint: 'http://hub' })
  const empty = await readEnvironment({}, { ...NO_TOKEN, MODEL_CACHE_DIR: '', HF_ENDPOINT: ' ' })
  t.deepEqual(empty, { offline: false })
})

test('HF_HUB_OFFLINE is true for 1, ON, YES and TRUE in any case', async (t) => {
  for (const value of ['1', 'ON', 'yes', 'True']) {
    t.true((await readEnvironment({}, { ...NO_TOKEN, HF_HUB_OFFLINE: value })).offline, value)
  }
  for (const value of ['', '0', 'off', 'no', 'false', '2']) {
    t.false((await readEnvironment({}, { ...NO_TOKEN, HF_HUB_OFFLINE: value })).offline, value)
  }
})

test('TRANSFORMERS_OFFLINE counts where HF_HUB_OFFLINE is not set', async (t) => {
  const offline = async (variables: Record<string, string>) =>
    (await readEnvironment({}, { ...NO_TOKEN, ...variables })).offline
  t.true(await offline({ TRANSFORMERS_OFFLINE: '1' }))
  t.true(await offline({ TRANSFORMERS_OFFLINE: 'yes', HF_HUB_OFFLINE: '' }))
  t.false(await offline({ TRANSFORMERS_OFFLINE: '1', HF_HUB_OFFLINE: '0' }))
})

test('with HF_HUB_DISABLE_IMPLICIT_TOKEN no token is read', async (t) => {
  const home = await makeFolder(t)
  await writeFile(join(home, 'token'), 'hf_home\n')
  const all = { HF_TOKEN: 'hf_new', HUGGING_FACE_HUB_TOKEN: 'hf_old', HF_HOME: home }
  for (const value of ['1', 'true']) {
    const read = await readEnvironment({}, { ...all, HF_HUB_DISABLE_IMPLICIT_TOKEN: value })
    t.deepEqual(read, { offline: false })
  }
  t.is((await readEnvironment({}, { ...all, HF_HUB_DISABLE_IMPLICIT_TOKEN: '0' })).token, 'hf_new')
})

test('the token comes from HF_TOKEN, its older name, the token file, in this order', async (t) => {
  const home = await makeFolder(t)
  const file = join(home, 'other')
  await writeFile(join(home, 'token'), 'hf_home\n')
  await writeFile(file, 'hf_file\n')
  const token = async (variables: Record<string, string>) => (await readEnvironment({}, variables)).token
  const all = { HF_TOKEN: ' hf_new ', HUGGING_FACE_HUB_TOKEN: 'hf_old', HF_TOKEN_PATH: file, HF_HOME: home }
  t.is(await token(all), 'hf_new')
  t.is(await token({ ...all, HF_TOKEN: '' }), 'hf_old')
  t.is(await token({ HF_TOKEN_PATH: file, HF_HOME: home }), 'hf_file')
  t.is(await token({ HF_HOME: home }), 'hf_home')
  t.is(await token({ HF_HOME: join(home, 'none') }), undefined)
})

test('proxies come from the variables that curl and Python read, in lower case first', async (t) => {
  const read = async (variables: Record<string, string>) =>
    (await readEnvironment({}, { ...NO_TOKEN, ...variables })).proxy
  t.deepEqual(await read({ HTTPS_PROXY: 'http://upper', https_proxy: 'lower:1' }), { https: 'lower:1' })
  t.deepEqual(await read({ HTTP_PROXY: 'a', ALL_PROXY: 'socks5://b' }), { http: 'a', https: 'socks5://b' })
  t.deepEqual(await read({ http_proxy: ' ', all_proxy: 'c' }), { http: 'c', https: 'c' })
  t.is(await read({ HTTP_PROXY: 'from-a-header', REQUEST_METHOD: 'GET' }), undefined)
  t.deepEqual(await read({ http_proxy: 'a', REQUEST_METHOD: 'GET' }), { http: 'a' })
  t.is((await readEnvironment({}, { ...NO_TOKEN, NO_PROXY: 'a', no_proxy: 'b' })).noProxy, 'b')
  const wrong = { ...NO_TOKEN, ALL_PROXY: 'ftp://user:secret@host' }
  const error = await t.throwsAsync(readEnvironment({}, wrong), { message: /^ALL_PROXY must be a URL/ })
  t.false(error?.message.includes('secret'))
  t.deepEqual(await readEnvironment({ proxy: {} }, wrong), { offline: false })
})

test('every file of certificates that a variable names is taken once', async (t) => {
  const file = join(await makeFolder(t), 'ca.pem')
  await writeFile(file, '')
  const variables = { ...NO_TOKEN, SSL_CERT_FILE: file, CURL_CA_BUNDLE: file, NODE_EXTRA_CA_CERTS: '' }
  t.deepEqual((await readEnvironment({}, variables)).certificateAuthority, [file])
  const missing = { ...NO_TOKEN, REQUESTS_CA_BUNDLE: join(file, 'none') }
  await t.throwsAsync(readEnvironment({}, missing), {
    code: 'ERR_INVALID_ARGUMENT',
    message: /^REQUESTS_CA_BUNDLE names certificates that cannot be read: .*none/,
  })
  t.deepEqual(await readEnvironment({ certificateAuthority: file }, missing), { offline: false })
})

test('a wrong HF_ENDPOINT is named, unless an explicit one takes its place', async (t) => {
  const wrong = { ...NO_TOKEN, HF_ENDPOINT: 'hub.example' }
  await t.throwsAsync(readEnvironment({}, wrong), {
    code: 'ERR_INVALID_ARGUMENT',
    message: 'HF_ENDPOINT must be an http or https URL such as https://hub.example, got "hub.example"',
  })
  t.deepEqual(await readEnvironment({ endpoint: 'http://hub' }, wrong), { offline: false })
})

test('`~` and variables are expanded where huggingface_hub does that', async (t) => {
  const home = homedir()
  t.is(hfCacheFolder({ HF_HOME: '~/x' }), join(home, 'x', 'hub'))
  t.is(hfCacheFolder({ HF_HUB_CACHE: '~' }), home)
  t.is(hfCacheFolder({ HF_HUB_CACHE: `$A/\${B_1}/$NONE/a~`, A: '/a', B_1: 'b' }), '/a/b/$NONE/a~')
  t.is(hfCacheFolder({ HUGGINGFACE_HUB_CACHE: '$A', A: '$B', B: 'b' }), '$B', 'once')
  t.is(hfCacheFolder({ XDG_CACHE_HOME: '~/c' }), join(home, 'c', 'huggingface', 'hub'))
  t.is(hfCacheFolder({ HF_HUB_CACHE: '~nobody-at-all/x' }), '~nobody-at-all/x')
  const folder = await makeFolder(t)
  await writeFile(join(folder, 'token'), 'hf_there\n')
  const read = await readEnvironment({}, { HF_TOKEN_PATH: `\${WHERE}/token`, WHERE: folder })
  t.is(read.token, 'hf_there')
})

test('the cache folder of huggingface_hub is where that looks for it', (t) => {
  t.is(hfCacheFolder({ HF_HUB_CACHE: '/a', HF_HOME: '/b' }), '/a')
  t.is(hfCacheFolder({ HUGGINGFACE_HUB_CACHE: '/c', HF_HOME: '/b' }), '/c')
  t.is(hfCacheFolder({ HF_HOME: '/b', XDG_CACHE_HOME: '/d' }), join('/b', 'hub'))
  t.is(hfCacheFolder({ XDG_CACHE_HOME: '/d' }), join('/d', 'huggingface', 'hub'))
  t.is(hfCacheFolder({ HF_HUB_CACHE: ' ' }), join(homedir(), '.cache', 'huggingface', 'hub'))
})
