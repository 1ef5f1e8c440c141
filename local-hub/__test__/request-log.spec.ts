import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import test from 'ava'
import { makeFolder } from '../../__test__/support/folder.js'
import { expectRequests, startHub } from '../../__test__/support/hub.js'
import { writeRepository } from '../../__test__/support/repository.js'
import { HubProcess } from '../index.js'

test('every request is recorded on its origin, without token or signature', async (t) => {
  const { hub } = await startHub(t, { 'acme/model': { 'model.gguf': 'weights' } }, { tokens: ['hf_secret'] })
  await (
    await fetch(`${hub.url}/acme/model/resolve/main/model.gguf`, {
      headers: { authorization: 'Bearer hf_secret', 'user-agent': 'probe/1.0', range: 'bytes=1-3' },
    })
  ).text()
  expectRequests(t, hub, { api: 1, cdn: 1 })
  const [api] = hub.log.filter({ origin: 'api' })
  t.like(api, {
    method: 'GET',
    path: '/acme/model/resolve/main/model.gguf',
    status: 302,
    authorization: true,
  })
  const [cdn] = hub.log.filter({ origin: 'cdn' })
  t.like(cdn, { status: 206, range: 'bytes=1-3', authorization: false, userAgent: 'probe/1.0', bytesSent: 3 })
  t.false(JSON.stringify(hub.log.records).includes('hf_secret'))
  t.false(JSON.stringify(hub.log.records).includes('Signature'))
  hub.log.clear()
  expectRequests(t, hub, { api: 0, cdn: 0 })
})

test('a throttled hub still sends every byte', async (t) => {
  const files = { 'model.gguf': { size: 40_000, seed: 'w' } }
  const { hub } = await startHub(t, { 'acme/model': files }, { throttle: 400_000, latency: 1 })
  const response = await fetch(`${hub.url}/acme/model/resolve/main/model.gguf`)
  t.is((await response.arrayBuffer()).byteLength, 40_000)
})

test('a hub in a process of its own serves, tells its requests and ends', async (t) => {
  const root = await makeFolder(t)
  await writeRepository(root, 'acme/model', { 'model.gguf': 'weights' })
  await writeFile(join(root, 'stray.txt'), 'not a repository')
  const hub = await HubProcess.start(root, ['--unlimited'])
  try {
    t.is(await (await fetch(`${hub.url}/acme/model/resolve/main/model.gguf`)).text(), 'weights')
    const requests = await hub.requests()
    t.deepEqual(
      requests.map((request) => request.status),
      [302, 200],
    )
  } finally {
    await hub.close()
  }
  await t.throwsAsync(fetch(hub.url))
})
