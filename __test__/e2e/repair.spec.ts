import { createHash } from 'node:crypto'
import type { Progress } from '@tabagent/model-cache'
import test, { type ExecutionContext } from 'ava'
import type { Fault, RequestRecord } from '../../local-hub/index.js'
import { randomBytes } from '../support/content.js'
import { ggufFiles } from '../support/repository.js'
import { openStore, REPO } from '../support/store.js'
import { cdnBytes, gate, MIB, quantOf } from './half-way.js'

const SIZE = 24 * MIB
const QUANT = 'Q4_K_M'
const PATH = 'm-Q4_K_M.gguf'
const CONFIG = '{"model_type":"bert"}\n'

/**
 * A store whose downloads have one connection, and a hub that does this to its answers with the file's bytes from `start` on.
 * The file is fetched from its beginning for the `pass`-th time, counted from 0.
 */
async function openFaulty(t: ExecutionContext, fault: (pass: number, start: number) => Fault | undefined) {
  const files = { ...ggufFiles('m', [QUANT], SIZE), 'config.json': CONFIG }
  const store = await openStore(t, files, { connections: 1, retries: 1 })
  await store.cache.scanRepo(REPO)
  let pass = -1
  store.hub.fault = ({ origin, range }: RequestRecord) => {
    if (origin !== 'cdn') return undefined
    const start = Number(/^bytes=(\d+)-/.exec(range ?? '')?.[1] ?? 0)
    if (start === 0) pass += 1
    return fault(pass, start)
  }
  const right = () => {
    using file = store.cache.getFile(REPO, PATH)
    return file?.buffer.equals(randomBytes(SIZE, PATH)) ?? false
  }
  return { ...store, right }
}

function digestWith(altered: number): string {
  const bytes = randomBytes(SIZE, PATH)
  bytes[altered] = (bytes[altered] ?? 0) ^ 0xff
  return createHash('sha256').update(bytes).digest('hex')
}

test('a byte altered once costs no more than the file once more', async (t) => {
  const { cache, hub, right } = await openFaulty(t, (pass) =>
    pass === 0 ? { alterByte: SIZE - 1 } : undefined,
  )
  await cache.downloadFile(REPO, PATH)
  t.true(right())
  t.is(cdnBytes(hub), 2 * SIZE)
})

test('nothing more is fetched once the altered byte is replaced and the digest is right', async (t) => {
  const sent = 3 * MIB
  const { cache, hub, right } = await openFaulty(t, (pass) =>
    pass === 0 ? { alterByte: 2 * MIB + 5 } : { stallAfter: sent },
  )
  await cache.downloadFile(REPO, PATH)
  t.true(right())
  t.is(cdnBytes(hub), SIZE + sent)
})

test('several altered bytes in several answers', async (t) => {
  const { cache, hub, right } = await openFaulty(t, (pass, start) => {
    if (pass > 0) return start === 0 ? { cutAfter: 9 * MIB } : undefined
    return start === 0 ? { alterByte: 7, cutAfter: 10 * MIB } : { alterByte: 10 * MIB }
  })
  await cache.downloadQuant(REPO, QUANT)
  t.true(right())
  t.true(cdnBytes(hub) <= 2 * SIZE, `${cdnBytes(hub)} bytes`)
})

test('a byte altered again: both digests, nothing is served or kept, and the next call begins anew', async (t) => {
  const { cache, hub, right } = await openFaulty(t, () => ({ alterByte: SIZE / 2 }))
  const [expected, actual] = [
    createHash('sha256').update(randomBytes(SIZE, PATH)).digest('hex'),
    digestWith(SIZE / 2),
  ]
  const error = await t.throwsAsync(cache.downloadQuant(REPO, QUANT), { code: 'ERR_INTEGRITY' })
  t.like(error, { repo: REPO, path: PATH, expected, actual })
  t.is(cdnBytes(hub), 2 * SIZE)
  t.false(cache.hasFile(REPO, PATH))
  t.is(cache.getFile(REPO, PATH), undefined)
  t.like(quantOf(cache.getManifest(REPO), QUANT), { status: 'failed', downloaded: CONFIG.length })
  hub.fault = undefined
  hub.log.clear()
  await cache.downloadQuant(REPO, QUANT)
  t.true(right())
  t.is(cdnBytes(hub), SIZE)
})

test('a repair that is cancelled is made by the next call, and the reports of both stay within the total', async (t) => {
  const { cache, hub, right } = await openFaulty(t, (pass) =>
    pass === 0 ? { alterByte: 9 * MIB } : { stallAfter: 8 * MIB },
  )
  const [controller, compared] = [new AbortController(), gate()]
  const seen: Progress[] = []
  const onProgress = (progress: Progress) => {
    seen.push(progress)
    if (cdnBytes(hub) === SIZE + 8 * MIB && progress.loaded === 8 * MIB) compared.open()
  }
  const call = cache.downloadFile(REPO, PATH, { signal: controller.signal, onProgress })
  await compared.opened
  controller.abort(new Error('enough'))
  t.is(await call.catch((error) => error.message), 'enough')
  t.false(cache.hasFile(REPO, PATH))
  hub.fault = undefined
  hub.log.clear()
  await cache.downloadFile(REPO, PATH, { onProgress })
  t.true(right())
  t.true(cdnBytes(hub) <= SIZE, `${cdnBytes(hub)} bytes`)
  t.true(seen.every(({ loaded, total }) => total === SIZE && loaded <= SIZE))
  t.is(seen.at(-1)?.loaded, SIZE)
  t.is(seen.filter(({ loaded }) => loaded === SIZE).length, 1)
})

test('a file that git keeps is fetched once more whole', async (t) => {
  const { cache, hub } = await openFaulty(t, () => undefined)
  let wrong = true
  hub.fault = ({ path }) => {
    if (!wrong || !path.includes('/resolve-cache/')) return undefined
    wrong = false
    return { alterByte: 3 }
  }
  hub.log.clear()
  await cache.downloadFile(REPO, 'config.json')
  t.is(await cache.getFile(REPO, 'config.json')?.text(), CONFIG)
  t.is(hub.log.bytesSent({ path: /resolve-cache/ }), 2 * CONFIG.length)
})
