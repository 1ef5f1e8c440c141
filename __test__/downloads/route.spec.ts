import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { ExecutionContext } from 'ava'
import { makeCertificates } from '../support/certificate.js'
import { makeFolder } from '../support/folder.js'
import { type ProxyRequest, startProxy, startSocksProxy } from '../support/proxy.js'
import { download, type Failure, matrix, scan, type World } from './matrix.js'

/** A Hub that only a client with `file` trusts. */
async function privateHub(t: ExecutionContext) {
  const { authority, server } = makeCertificates()
  const file = join(await makeFolder(t), 'authority.pem')
  await writeFile(file, `# a comment, as bundles have them\n${authority.cert}`)
  return { file, hub: { tls: server } }
}

/** Every request to the Hub went through the proxy. */
function expectThrough({ t, hub }: World, requests: ProxyRequest[]): void {
  t.true(hub.log.records.length > 0)
  const targets = new Set(requests.map(({ target }) => new URL(target).host))
  t.deepEqual([...targets].sort(), [new URL(hub.url).host, new URL(hub.cdnUrl).host].sort())
}

function expectMessage(world: World, failure: Failure | undefined, message: RegExp): void {
  world.t.regex(failure?.message ?? '', message)
}

matrix('route', {
  'is a mirror below a path of its host': (t) =>
    download(t, {
      hub: { prefix: '/hf-mirror' },
      check: ({ hub }) => {
        t.true(hub.url.endsWith('/hf-mirror'))
        t.deepEqual(
          hub.log.records.filter(({ origin, path }) => origin === 'api' && !path.startsWith('/hf-mirror/')),
          [],
        )
      },
    }),
  'is reached through an http proxy': async (t) => {
    const proxy = await startProxy(t)
    const options = { proxy: proxy.place, noProxy: 'hub.example' }
    return download(t, { options, check: (world) => expectThrough(world, proxy.requests) })
  },
  'is reached through a proxy that wants a password': async (t) => {
    const proxy = await startProxy(t, 'user:p@ss')
    const options = { proxy: { http: `http://user:p%40ss@${proxy.place}` }, noProxy: 'hub.example' }
    return download(t, {
      options,
      check: () => t.true(proxy.requests.every(({ credentials }) => credentials === 'user:p@ss')),
    })
  },
  'is reached through a SOCKS proxy': async (t) => {
    const proxy = await startSocksProxy(t)
    const options = { proxy: `socks5://${proxy.place}`, noProxy: 'hub.example' }
    return download(t, {
      options,
      check: ({ hub }) => {
        const targets = new Set(proxy.requests.map(({ target }) => target))
        t.deepEqual([...targets].sort(), [new URL(hub.url).host, new URL(hub.cdnUrl).host].sort())
      },
    })
  },
  'is behind a proxy that refuses the password': async (t) => {
    const proxy = await startProxy(t, 'user:right')
    const options = { proxy: `http://user:wrongsecret@${proxy.place}`, noProxy: 'hub.example' }
    return scan(t, {
      options,
      check: (world, failure) => {
        expectMessage(world, failure, /407/)
        t.false(failure?.message.includes('wrongsecret'))
      },
    })
  },
  'is behind a proxy that is not there': (t) => {
    const options = { proxy: '127.0.0.1:1', noProxy: 'hub.example', retries: 0 }
    return scan(t, {
      options,
      check: (world, failure) =>
        expectMessage(world, failure, /could not be reached through the proxy 127\.0\.0\.1:1: /),
    })
  },
  'is named in noProxy': async (t) => {
    const proxy = await startProxy(t)
    const options = { proxy: proxy.place, noProxy: 'hub.example, 127.0.0.0/8' }
    return download(t, { options, check: () => t.deepEqual(proxy.requests, []) })
  },
  'has a certificate of a private authority': async (t) => {
    const { file, hub } = await privateHub(t)
    return download(t, { hub, options: { certificateAuthority: file } })
  },
  'has a certificate of an authority nobody named': async (t) => {
    const { hub } = await privateHub(t)
    return scan(t, {
      hub,
      options: { retries: 0 },
      check: (world, failure) => expectMessage(world, failure, /certificate.*PEM file of the authority/),
    })
  },
  'has such a certificate and is reached through a proxy': async (t) => {
    const [{ file, hub }, proxy] = [await privateHub(t), await startProxy(t)]
    const options = { certificateAuthority: [file], proxy: { https: proxy.place }, noProxy: 'hub.example' }
    return download(t, {
      hub,
      options,
      check: (world) => {
        t.true(proxy.requests.every(({ method }) => method === 'CONNECT'))
        const targets = new Set(proxy.requests.map(({ target }) => target))
        t.true(targets.has(new URL(world.hub.url).host) && targets.has(new URL(world.hub.cdnUrl).host))
      },
    })
  },
  'has such a certificate behind a proxy that refuses the tunnel': async (t) => {
    const [{ file, hub }, proxy] = [await privateHub(t), await startProxy(t, 'user:right')]
    const options = { certificateAuthority: file, proxy: proxy.place, noProxy: 'hub.example', retries: 0 }
    return scan(t, {
      hub,
      options,
      check: (world, failure) =>
        expectMessage(world, failure, /through the proxy.*(407|authentic|authoriz)/i),
    })
  },
})
