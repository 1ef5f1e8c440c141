import { rename, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { ExecutionContext } from 'ava'
import { makeCertificates } from '../support/certificate.js'
import { randomBytes } from '../support/content.js'
import { makeFolder } from '../support/folder.js'
import { startHub } from '../support/hub.js'
import {
  download,
  type Failure,
  matrix,
  OTHER,
  PATH,
  REPO,
  resolving,
  SIZE,
  scan,
  storage,
  type World,
} from './matrix.js'

const FILES = { [PATH]: { size: SIZE, seed: PATH }, [OTHER]: { size: 100_000, seed: OTHER } }

/** Another server that has the same repository, and wants no token. */
async function startElsewhere(t: ExecutionContext) {
  const { hub } = await startHub(t, { [REPO]: FILES })
  return hub
}

const redirect = (location: string, status = 302) => ({ answer: { status, headers: { location } } })

function expectMessage({ t }: World, failure: Failure | undefined, message: RegExp): void {
  t.regex(failure?.message ?? '', message)
}

/** A Hub with https, whose authority the client trusts. */
async function secure(t: ExecutionContext) {
  const { authority, server } = makeCertificates()
  const file = join(await makeFolder(t), 'authority.pem')
  await writeFile(file, authority.cert)
  return { hub: { tls: server }, options: { certificateAuthority: file } }
}

matrix('redirect', {
  'answers for a file in git with a 307 whose length is that of its own body': (t) => {
    const files = { ...FILES, 'config.json': '{"model_type":"bert"}\n' }
    return download(t, {
      files,
      path: 'config.json',
      check: ({ hub }) => {
        const [first, second] = hub.log.filter({ path: /config\.json$/ })
        t.deepEqual([first?.status, second?.status], [307, 206])
        t.not(first?.bytesSent, second?.bytesSent)
      },
    })
  },
  'sends a file in LFS to another origin': (t) =>
    download(t, {
      check: ({ hub }) =>
        t.true(hub.log.filter({ origin: 'api' }).every(({ authorization }) => authorization)),
    }),
  'answers every path with a 308 to another path': (t) =>
    download(t, {
      hub: { prefix: '/moved' },
      endpoint: (hub) => new URL(hub.url).origin,
      always: ({ origin, path, query }) =>
        origin === 'api' && !path.startsWith('/moved/')
          ? redirect(`/moved${path}${query.size > 0 ? `?${query}` : ''}`, 308)
          : undefined,
    }),
  'sends the listing to another Hub': async (t) => {
    const elsewhere = await startElsewhere(t)
    return scan(t, {
      fault:
        () =>
        ({ path, query }) =>
          redirect(`${elsewhere.url}${path}?${query}`, 308),
      check: () => {
        t.is(elsewhere.log.filter({ path: /^\/api\/models\// }).length, 1)
        t.deepEqual(elsewhere.log.filter({ authorization: true }), [])
      },
    })
  },
  'sends the file to another Hub': async (t) => {
    const elsewhere = await startElsewhere(t)
    await (await fetch(`${elsewhere.url}/api/models/${REPO}`)).arrayBuffer()
    elsewhere.log.clear()
    return download(t, {
      fault: () => resolving((_, { path }) => redirect(`${elsewhere.url}${path}`, 307)),
      check: () => {
        t.is(elsewhere.log.bytesSent({ origin: 'cdn' }), SIZE)
        t.deepEqual(elsewhere.log.filter({ authorization: true }), [])
      },
    })
  },
  'redirects the bytes once more': async (t) => {
    const elsewhere = await startElsewhere(t)
    const bytes = randomBytes(SIZE, PATH)
    elsewhere.fault = () => ({
      answer: { status: 206, headers: { 'content-range': `bytes 0-${SIZE - 1}/${SIZE}` }, body: bytes },
    })
    return download(t, {
      fault: () => storage(() => redirect(`${elsewhere.cdnUrl}/final?Signature=other`)),
      check: () => t.deepEqual(elsewhere.log.filter({ authorization: true }), []),
    })
  },
  'lists the repository under another name': (t) =>
    scan(t, {
      servedAs: 'acme/renamed',
      settings: { aliases: [REPO] },
      check: ({ hub, cache }) => {
        t.is(cache.getManifest(REPO)?.repo, 'acme/renamed')
        const asked = hub.log.records.map(({ status, authorization }) => [status, authorization])
        t.deepEqual(asked, [
          [307, true],
          [200, true],
        ])
      },
    }),
  'has renamed the repository since the scan': (t) =>
    download(t, {
      fault: async ({ hub, root }) => {
        await rename(join(root, REPO), join(root, 'acme/renamed'))
        await rm(join(root, `${REPO}.json`))
        await writeFile(join(root, 'acme/renamed.json'), JSON.stringify({ aliases: [REPO] }))
        await (await fetch(`${hub.url}/api/models/acme/renamed`)).arrayBuffer()
        hub.log.clear()
        return undefined
      },
      check: ({ hub }) => {
        const resolved = hub.log.filter({ origin: 'api' })
        t.deepEqual(
          resolved.map(({ status, authorization }) => [status, authorization]),
          [
            [307, true],
            [302, true],
          ],
        )
      },
    }),
  'redirects to an address that is not encoded': (t) => {
    // Node writes the head of an answer in Latin-1: these are the bytes of UTF-8.
    const raw = Buffer.from('größe/模型.gguf').toString('latin1')
    return download(t, {
      files: { ...FILES, 'größe/模型.gguf': { size: SIZE, seed: 'raw' } },
      path: 'größe/模型.gguf',
      fault: () =>
        resolving((n, { path }) => (n === 0 ? redirect(`${path.replace(/größe.*/u, raw)}?raw`) : undefined)),
      check: ({ hub }) => t.is(hub.log.filter({ path: /größe\/模型\.gguf$/ }).length, 2),
    })
  },
  'redirects in a loop': (t) =>
    download(t, {
      fault:
        () =>
        ({ path }) =>
          redirect(path === '/a' ? '/b' : '/a'),
      check: (world, failure) => expectMessage(world, failure, /a redirect loop/),
    }),
  'redirects without end': (t) =>
    download(t, {
      fault:
        () =>
        ({ path }) =>
          redirect(`${path}/x`),
      check: ({ hub }) => t.true(hub.log.filter({ path: /\/x$/ }).length < 20),
    }),
  'redirects to what is no web address': (t) =>
    download(t, { fault: () => resolving(() => redirect('file:///etc/passwd')) }),
  'redirects without saying where': (t) =>
    download(t, { fault: () => resolving(() => ({ headers: { location: undefined } })) }),
  'redirects the listing from https to http': async (t) => {
    const elsewhere = await startElsewhere(t)
    return scan(t, {
      ...(await secure(t)),
      fault:
        () =>
        ({ path }) =>
          redirect(`${elsewhere.url}${path}`),
      check: (world, failure) => {
        expectMessage(world, failure, /from https to http, refused/)
        t.deepEqual(elsewhere.log.records, [])
      },
    })
  },
  'redirects the file from https to http': async (t) => {
    const elsewhere = await startElsewhere(t)
    return download(t, {
      ...(await secure(t)),
      fault: () => resolving((_, { path }) => ({ headers: { location: `${elsewhere.url}${path}` } })),
      check: (world, failure) => {
        expectMessage(world, failure, /from https to http, refused/)
        t.deepEqual(elsewhere.log.records, [])
      },
    })
  },
  'redirects the bytes from https to http': async (t) => {
    const elsewhere = await startElsewhere(t)
    return download(t, {
      ...(await secure(t)),
      fault: () => storage((_, { path }) => redirect(`${elsewhere.cdnUrl}${path}`)),
      check: (world, failure) => {
        expectMessage(world, failure, /from https to http, refused/)
        t.deepEqual(elsewhere.log.records, [])
      },
    })
  },
})
