import { execFile } from 'node:child_process'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import test, { type ExecutionContext } from 'ava'
import { makeCertificates } from '../support/certificate.js'
import { makeFolder } from '../support/folder.js'
import { startHub } from '../support/hub.js'
import { startProxy } from '../support/proxy.js'

const SCRIPT = `
  import { ModelCache } from '@tabagent/model-cache'
  const cache = await ModelCache.open({ retries: 0 })
  console.log(await (await cache.fetchFile('acme/model', 'model.gguf')).text())
  await cache.close()
`

/** What a process prints that has nothing but its environment to find the Hub by. */
async function fetchWith(t: ExecutionContext, endpoint: string, variables: Record<string, string>) {
  const own = { HF_ENDPOINT: endpoint, MODEL_CACHE_DIR: await makeFolder(t), HF_TOKEN: 'hf_t' }
  const { PATH = '' } = process.env
  const { stdout } = await promisify(execFile)(process.execPath, ['--input-type=module', '-e', SCRIPT], {
    env: { PATH, ...own, ...variables },
  })
  return stdout.trim()
}

const FILES = { 'acme/model': { 'model.gguf': 'weights' } }

test('a token of the environment is not sent where HF_HUB_DISABLE_IMPLICIT_TOKEN forbids it', async (t) => {
  const { hub } = await startHub(t, FILES, { tokens: ['hf_t'] })
  const sent = () => new Set(hub.log.filter({ origin: 'api' }).map(({ authorization }) => authorization))
  t.is(await fetchWith(t, hub.url, {}), 'weights')
  t.deepEqual(sent(), new Set([true]))
  hub.log.clear()
  t.is(await fetchWith(t, hub.url, { HF_HUB_DISABLE_IMPLICIT_TOKEN: '1' }), 'weights')
  t.deepEqual(sent(), new Set([false]))
})

test('TRANSFORMERS_OFFLINE keeps it from the network', async (t) => {
  const { hub } = await startHub(t, FILES)
  await t.throwsAsync(fetchWith(t, hub.url, { TRANSFORMERS_OFFLINE: '1' }), { message: /ERR_OFFLINE/ })
  t.is(hub.log.records.length, 0)
})

test('HTTP_PROXY and ALL_PROXY are used for http, in either case, but for what NO_PROXY names', async (t) => {
  const { hub } = await startHub(t, FILES, { tokens: ['hf_t'] })
  const proxy = await startProxy(t)
  const through = async (variables: Record<string, string>) => {
    proxy.requests.length = 0
    t.is(await fetchWith(t, hub.url, variables), 'weights')
    return proxy.requests.length
  }
  const place = `http://${proxy.place}`
  t.is(await through({ HTTP_PROXY: place }), 3, 'the listing, the address, the bytes')
  t.is(await through({ http_proxy: proxy.place, HTTP_PROXY: 'http://127.0.0.1:1' }), 3)
  t.is(await through({ ALL_PROXY: place }), 3)
  t.is(await through({ HTTPS_PROXY: place }), 0)
  t.is(await through({ HTTP_PROXY: place, NO_PROXY: 'hub.example,127.0.0.1' }), 0)
  t.is(await through({ all_proxy: place, no_proxy: '*' }), 0)
})

test('HTTPS_PROXY opens tunnels, and SSL_CERT_FILE and its like are trusted', async (t) => {
  const { authority, server } = makeCertificates()
  const file = join(await makeFolder(t), 'authority.pem')
  await writeFile(file, authority.cert)
  const { hub } = await startHub(t, FILES, { tls: server, tokens: ['hf_t'] })
  const proxy = await startProxy(t)
  const variables = { HTTPS_PROXY: `http://${proxy.place}`, REQUESTS_CA_BUNDLE: file }
  t.is(await fetchWith(t, hub.url, variables), 'weights')
  t.deepEqual(new Set(proxy.requests.map(({ method }) => method)), new Set(['CONNECT']))
  for (const name of ['SSL_CERT_FILE', 'CURL_CA_BUNDLE', 'NODE_EXTRA_CA_CERTS']) {
    t.is(await fetchWith(t, hub.url, { [name]: file }), 'weights', name)
  }
})
