import { createHash } from 'node:crypto'
import test from 'ava'
import { randomBytes } from '../../__test__/support/content.js'
import { startHub } from '../../__test__/support/hub.js'

const SIZE = 100_000
const FILES = { 'model.gguf': { size: SIZE, seed: 'w' }, 'config.json': '{}', 'empty.txt': '' }
const WEIGHTS = randomBytes(SIZE, 'w')
const SHA256 = createHash('sha256').update(WEIGHTS).digest('hex')

const manual = (url: string, init: RequestInit = {}) => fetch(url, { redirect: 'manual', ...init })

test('an LFS file redirects to the other origin, with its digest, size and commit', async (t) => {
  const { hub } = await startHub(t, { 'acme/model': FILES })
  for (const method of ['HEAD', 'GET']) {
    const response = await manual(`${hub.url}/acme/model/resolve/main/model.gguf`, { method })
    t.is(response.status, 302)
    const { headers } = response
    t.is(headers.get('x-linked-etag'), `"${SHA256}"`)
    t.is(headers.get('x-linked-size'), String(SIZE))
    t.regex(headers.get('x-repo-commit') ?? '', /^[0-9a-f]{40}$/)
    const cdn = await fetch(headers.get('location') ?? '')
    t.is(new URL(cdn.url).origin, hub.cdnUrl)
    t.deepEqual(Buffer.from(await cdn.arrayBuffer()), WEIGHTS)
    t.regex(cdn.headers.get('etag') ?? '', /^"[0-9a-f]{64}"$/)
    t.not(cdn.headers.get('etag'), `"${SHA256}"`, 'the CDN has a digest of its own')
  }
})

test('a git file redirects on the same origin, with a Content-Length that is not its own', async (t) => {
  const { hub } = await startHub(t, { 'acme/model': FILES })
  const response = await manual(`${hub.url}/acme/model/resolve/main/config.json`, { method: 'HEAD' })
  t.is(response.status, 307)
  t.regex(
    response.headers.get('location') ?? '',
    /^\/api\/resolve-cache\/models\/acme\/model\/[0-9a-f]{40}\/config\.json\?/,
  )
  t.true(Number(response.headers.get('content-length')) > 100)
  const followed = await fetch(`${hub.url}/acme/model/resolve/main/config.json`, {
    headers: { 'accept-encoding': 'identity' },
  })
  t.is(followed.headers.get('content-length'), '2')
  t.is(followed.headers.get('etag'), `"${createHash('sha1').update('blob 2\0{}').digest('hex')}"`)
  t.is(await followed.text(), '{}')
})

test('ranges: 206 with the part, 416 outside, 200 for what is no single range', async (t) => {
  const { hub } = await startHub(t, { 'acme/model': FILES })
  const get = async (range: string, path = 'model.gguf') => {
    const response = await fetch(`${hub.url}/acme/model/resolve/main/${path}`, { headers: { range } })
    const body = Buffer.from(await response.arrayBuffer())
    return { status: response.status, contentRange: response.headers.get('content-range'), body }
  }
  const part = { status: 206, contentRange: `bytes 10-19/${SIZE}`, body: WEIGHTS.subarray(10, 20) }
  t.deepEqual(await get('bytes=10-19'), part)
  t.like(await get('bytes=99990-'), { status: 206, contentRange: `bytes 99990-99999/${SIZE}` })
  t.like(await get('bytes=-10'), { status: 206, contentRange: `bytes 99990-99999/${SIZE}` })
  t.like(await get('bytes=90000-500000'), { status: 206, contentRange: `bytes 90000-99999/${SIZE}` })
  t.like(await get(`bytes=${SIZE}-`), { status: 416, contentRange: `bytes */${SIZE}` })
  t.like(await get('bytes=0-0', 'empty.txt'), { status: 416, contentRange: 'bytes */0' })
  t.like(await get('bytes=0-1,5-6'), { status: 200, contentRange: null, body: WEIGHTS })
})

test('signed URLs end: by time, by being altered, all at once', async (t) => {
  const { hub } = await startHub(t, { 'acme/model': FILES })
  const location = async (url: string) =>
    (await manual(`${url}/acme/model/resolve/main/model.gguf`)).headers.get('location') ?? ''
  const signed = await location(hub.url)
  t.is((await fetch(signed)).status, 200)
  t.is((await fetch(signed.replace('Expires=', 'Expires=9'))).status, 403)
  hub.expireUrls()
  t.is((await fetch(signed)).status, 403)
  t.is((await fetch(await location(hub.url))).status, 200)
  const { hub: strict } = await startHub(t, { 'acme/model': FILES }, { urlLifetime: 0 })
  t.is((await fetch(await location(strict.url))).status, 403)
})

test('names with spaces and marks, and repositories in any case or by a former name', async (t) => {
  const files = { 'a (b) #1 [x] 100%.txt': 'odd' }
  const { hub } = await startHub(t, { 'Acme/Model': { files, settings: { aliases: ['old/name'] } } })
  const path = encodeURIComponent('a (b) #1 [x] 100%.txt')
  for (const repo of ['Acme/Model', 'acme/model', 'old/name']) {
    const response = await fetch(`${hub.url}/${repo}/resolve/main/${path}`)
    t.is(await response.text(), 'odd', repo)
  }
  const renamed = await manual(`${hub.url}/api/models/old/name?blobs=true`)
  t.is(renamed.status, 307)
  t.is(renamed.headers.get('location'), '/api/models/Acme/Model?blobs=true')
})

test('a compressed answer has another length than the file', async (t) => {
  const { hub } = await startHub(t, { 'acme/model': { 'big.json': 'x'.repeat(10_000) } })
  const response = await fetch(`${hub.url}/acme/model/resolve/main/big.json`, {
    headers: { 'accept-encoding': 'gzip' },
  })
  t.is(response.headers.get('content-encoding'), 'gzip')
  t.true(Number(response.headers.get('content-length')) < 1000)
  t.is((await response.text()).length, 10_000)
})
