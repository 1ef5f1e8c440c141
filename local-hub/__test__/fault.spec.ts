import test from 'ava'
import { randomBytes } from '../../__test__/support/content.js'
import { startHub } from '../../__test__/support/hub.js'
import type { Fault } from '../index.js'

const SIZE = 3_000_000
const WEIGHTS = randomBytes(SIZE, 'w')

async function startFaultyHub(t: Parameters<typeof startHub>[0], fault: Fault) {
  const { hub } = await startHub(t, { 'acme/model': { 'model.gguf': { size: SIZE, seed: 'w' } } })
  hub.fault = (request) => (request.origin === 'cdn' ? fault : undefined)
  const get = (range?: string) =>
    fetch(`${hub.url}/acme/model/resolve/main/model.gguf`, range ? { headers: { range } } : {})
  return { hub, get }
}

/** The bytes that arrive before the body breaks off. */
async function readAll(response: Response): Promise<{ bytes: Buffer; broken: boolean }> {
  const pieces: Uint8Array[] = []
  try {
    for await (const piece of response.body ?? []) pieces.push(piece)
    return { bytes: Buffer.concat(pieces), broken: false }
  } catch {
    return { bytes: Buffer.concat(pieces), broken: true }
  }
}

test('an answer in place of the real one, with its own headers', async (t) => {
  const { get } = await startFaultyHub(t, {
    answer: { status: 503, headers: { 'retry-after': '7' }, body: 'busy' },
  })
  const response = await get()
  t.is(response.status, 503)
  t.is(response.headers.get('retry-after'), '7')
  t.is(await response.text(), 'busy')
})

test('a dropped connection', async (t) => {
  const { get } = await startFaultyHub(t, { drop: true })
  await t.throwsAsync(get())
})

test('a body that ends early', async (t) => {
  const { get, hub } = await startFaultyHub(t, { cutAfter: 1_500_000 })
  const { bytes, broken } = await readAll(await get())
  t.true(broken)
  t.true(bytes.equals(WEIGHTS.subarray(0, bytes.length)))
  t.is(hub.log.bytesSent({ origin: 'cdn' }), 1_500_000)
})

test('a body that stops coming, until the client leaves', async (t) => {
  const { hub } = await startFaultyHub(t, { stallAfter: 1000 })
  const abort = new AbortController()
  const response = await fetch(`${hub.url}/acme/model/resolve/main/model.gguf`, { signal: abort.signal })
  await hub.log.waitFor((log) => log.bytesSent({ origin: 'cdn' }) === 1000)
  t.false(hub.log.filter({ origin: 'cdn' })[0]?.closed)
  abort.abort()
  t.true((await readAll(response)).broken)
  await hub.log.waitFor((log) => log.filter({ origin: 'cdn', closed: true }).length === 1)
})

test('one altered byte, wherever the range begins', async (t) => {
  const { get } = await startFaultyHub(t, { alterByte: 2_000_001 })
  const expected = Buffer.from(WEIGHTS)
  expected.writeUInt8(expected.readUInt8(2_000_001) ^ 0xff, 2_000_001)
  t.true((await readAll(await get())).bytes.equals(expected))
  t.true(
    (await readAll(await get('bytes=2000000-2000009'))).bytes.equals(expected.subarray(2_000_000, 2_000_010)),
  )
})

test('a range that is ignored, and headers that are replaced or left out', async (t) => {
  const ignoring = await startFaultyHub(t, { ignoreRange: true, headers: { etag: undefined } })
  const whole = await ignoring.get('bytes=5-9')
  t.is(whole.status, 200)
  t.is(whole.headers.get('etag'), null)
  t.true((await readAll(whole)).bytes.equals(WEIGHTS))
  const lying = await startFaultyHub(t, { headers: { 'content-range': 'bytes 0-4/77' } })
  t.is((await lying.get('bytes=5-9')).headers.get('content-range'), 'bytes 0-4/77')
})

test('a connection that is reset when the test lets it', async (t) => {
  let release = () => {}
  const until = new Promise<void>((resolve) => {
    release = resolve
  })
  const { get, hub } = await startFaultyHub(t, { resetAfter: 1000, until })
  const response = await get()
  await hub.log.waitFor((log) => log.bytesSent({ origin: 'cdn' }) === 1000)
  t.false(hub.log.filter({ origin: 'cdn' })[0]?.closed)
  release()
  t.true((await readAll(response)).broken)
})

test('less than the range, and more', async (t) => {
  const { get } = await startFaultyHub(t, { shorten: 1000 })
  const less = await get('bytes=5-9999')
  t.is(less.headers.get('content-range'), `bytes 5-1004/${SIZE}`)
  t.true((await readAll(less)).bytes.equals(WEIGHTS.subarray(5, 1005)))
  const more = await startFaultyHub(t, { append: 10, headers: { 'content-length': undefined } })
  t.is((await readAll(await more.get('bytes=0-9'))).bytes.length, 20)
})

test('compressed bytes, whatever the client takes', async (t) => {
  const { get } = await startFaultyHub(t, { compress: true })
  const response = await get()
  t.is(response.headers.get('content-encoding'), 'gzip')
  t.true((await readAll(response)).bytes.equals(WEIGHTS))
})

test('a listing that is edited on its way', async (t) => {
  const { hub } = await startHub(t, { 'acme/model': { 'a.txt': 'a' } })
  hub.fault = () => ({ edit: (body) => ({ ...(body as object), sha: 'none' }) })
  const response = await fetch(`${hub.url}/api/models/acme/model`)
  t.like(await response.json(), { id: 'acme/model', sha: 'none' })
})

test('a Hub below a path: every link stays below it', async (t) => {
  const { hub } = await startHub(
    t,
    { 'acme/model': { 'a.txt': 'a', 'b.txt': 'b' } },
    { prefix: '/hub', pageSize: 1 },
  )
  t.is(await (await fetch(`${hub.url}/acme/model/resolve/main/a.txt`)).text(), 'a')
  t.is(await (await fetch(`${hub.url}/ACME/model/resolve/main/b.txt`)).text(), 'b')
  const tree = await fetch(`${hub.url}/api/models/acme/model/tree/main`)
  t.true(tree.headers.get('link')?.startsWith(`<${hub.url}/api/models/`))
  t.is((await fetch(`${new URL(hub.url).origin}/api/models/acme/model`)).status, 404)
})

test('an answer held back until the test lets it go', async (t) => {
  let release = () => {}
  const hold = new Promise<void>((resolve) => {
    release = resolve
  })
  const { get, hub } = await startFaultyHub(t, { hold })
  const response = get()
  await hub.log.waitFor((log) => log.filter({ origin: 'cdn' }).length === 1)
  t.is(hub.log.filter({ origin: 'cdn' })[0]?.status, 0)
  release()
  t.is((await response).status, 200)
})
