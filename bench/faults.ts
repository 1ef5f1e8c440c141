import { existsSync, readdirSync, statSync } from 'node:fs'
import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { isModelCacheError, ModelCache } from '@tabagent/model-cache'
import { writeContent } from '../__test__/support/content.js'
import { type FaultHook, LocalHub } from '../local-hub/index.js'
import type { DownloadParameters } from './child/download.js'
import { startScript } from './child-process.js'
import { downloadInto } from './download.js'
import { type Figure, type Measurement, MIB } from './figure.js'
import { hasPeer, hfDownloadInto, startHf } from './peers.js'
import type { Model, Workplace } from './workplace.js'

const MODEL: Model = { repo: 'bench/faults', path: 'model.gguf', size: 128 * MIB, sparse: false }
const HALF = MODEL.size / 2

/** How long everything that was sent has to arrive before a process is killed. */
const ARRIVAL = 1000

/** The faults that lose or spoil a download with other clients. Bytes are of the bodies sent, per byte of the file. */
export const faults: Measurement = {
  letter: 'j',
  title: 'faults on the way: killed, altered, cut, stalled, two at once (128 MiB)',
  async measure(workplace) {
    await using hub = await startHub(workplace)
    return [
      ...(await killed(workplace, hub)),
      await alteredOnce(workplace, hub),
      await alteredAlways(workplace, hub),
      await cut(workplace, hub),
      await twoAtOnce(workplace, hub),
      await stalled(workplace, hub),
    ]
  },
}

async function startHub(workplace: Workplace): Promise<LocalHub> {
  const root = join(workplace.folder, 'faults')
  await mkdir(join(root, MODEL.repo), { recursive: true })
  await writeContent(join(root, MODEL.repo, MODEL.path), { size: MODEL.size, seed: MODEL.repo })
  return LocalHub.start({ root })
}

/** Body bytes sent by the storage origin since `work` began, per byte of the file. */
async function bytesOf(hub: LocalHub, work: () => Promise<unknown>): Promise<number> {
  hub.log.clear()
  await work()
  return hub.log.bytesSent({ origin: 'cdn' }) / MODEL.size
}

const into = (folder: string, hub: LocalHub) => () => downloadInto(folder, hub.url, MODEL)

function figure(what: string, value: number, bound: number, detail: string): Figure {
  return { what, value, unit: 'bytes/byte', bound, detail }
}

/** Killed when half of the file has come; what the second run fetches. */
async function killed(workplace: Workplace, hub: LocalHub): Promise<Figure[]> {
  const ours = await workplace.inNewFolder(async (path) => {
    await killAtHalf(hub, () => {
      const { repo, path: file } = MODEL
      return startScript<DownloadParameters>('download', { path, endpoint: hub.url, repo, file })
    })
    return bytesOf(hub, into(path, hub))
  })
  const own = figure('killed at half: bytes of the second run', ours, 0.51, 'kill -9, then a new process')
  return hasPeer('hf') ? [own, ...(await hfKilled(workplace, hub))] : [own]
}

async function hfKilled(workplace: Workplace, hub: LocalHub): Promise<Figure[]> {
  return workplace.inNewFolder(async (folder) => {
    await killAtHalf(hub, () => startHf(folder, hub.url, MODEL.repo, MODEL.path))
    const value = await bytesOf(hub, () => hfDownloadInto(folder, hub.url, MODEL.repo, MODEL.path))
    const left = `left behind: ${(orphans(folder) / MODEL.size).toFixed(2)} of the file`
    return [{ what: 'the same with hf download', value, unit: 'bytes/byte' as const, detail: left }]
  })
}

async function killAtHalf(hub: LocalHub, start: () => { kill(): Promise<void> }): Promise<void> {
  hub.log.clear()
  hub.fault = nothingPastHalf
  const child = start()
  await hub.log.waitFor((log) => log.bytesSent({ origin: 'cdn' }) >= HALF)
  await delay(ARRIVAL)
  await child.kill()
  hub.fault = undefined
}

const nothingPastHalf: FaultHook = ({ origin, range }) => {
  if (origin !== 'cdn') return undefined
  const start = Number(/^bytes=(\d+)-/.exec(range ?? '')?.[1] ?? 0)
  return { stallAfter: Math.max(0, HALF - start) }
}

function orphans(folder: string): number {
  if (!existsSync(folder)) return 0
  const names = readdirSync(folder, { recursive: true, encoding: 'utf8' })
  const left = names.filter((name) => name.endsWith('.incomplete')).map((name) => join(folder, name))
  return left.reduce((sum, name) => sum + statSync(name).size, 0)
}

async function alteredOnce(workplace: Workplace, hub: LocalHub): Promise<Figure> {
  let altered = 0
  hub.fault = ({ origin, range }) => {
    if (origin !== 'cdn' || altered > 0 || !covers(range, HALF)) return undefined
    altered += 1
    return { alterByte: HALF }
  }
  const value = await workplace.inNewFolder((path) => bytesOf(hub, into(path, hub)))
  hub.fault = undefined
  return figure('one byte altered once: bytes until it is right', value, 2, 'the whole file and the repair')
}

function covers(range: string | undefined, offset: number): boolean {
  const [, start, end] = /^bytes=(\d+)-(\d*)$/.exec(range ?? '') ?? []
  return Number(start ?? 0) <= offset && (!end || Number(end) >= offset)
}

async function alteredAlways(workplace: Workplace, hub: LocalHub): Promise<Figure> {
  hub.fault = ({ origin }) => (origin === 'cdn' ? { alterByte: HALF } : undefined)
  let outcome = 'served'
  const value = await workplace.inNewFolder((path) =>
    bytesOf(hub, async () => {
      const cache = await ModelCache.open({ path, endpoint: hub.url, noProxy: '*' })
      await cache.downloadFile(MODEL.repo, MODEL.path).catch((error: unknown) => {
        outcome = isModelCacheError(error) ? error.code : String(error)
      })
      if (cache.hasFile(MODEL.repo, MODEL.path)) outcome += ', but it has the file'
      await cache.close()
    }),
  )
  hub.fault = undefined
  return figure('one byte altered always: bytes until it is refused', value, 2.01, outcome)
}

async function cut(workplace: Workplace, hub: LocalHub): Promise<Figure> {
  let cuts = 0
  hub.fault = ({ origin }) => {
    if (origin !== 'cdn' || cuts > 0) return undefined
    cuts += 1
    return { cutAfter: Math.floor(MODEL.size * 0.6) }
  }
  const value = await workplace.inNewFolder((path) => bytesOf(hub, into(path, hub)))
  hub.fault = undefined
  return figure('cut once at 60 %: bytes', value, 1.01, `answers broken off: ${cuts}`)
}

async function twoAtOnce(workplace: Workplace, hub: LocalHub): Promise<Figure> {
  const value = await workplace.inNewFolder((path) =>
    bytesOf(hub, () => Promise.all([into(path, hub)(), into(path, hub)()])),
  )
  return figure('two processes at once: bytes in total', value, 1.01, 'one store, both end well')
}

/** The body stalls once at half of the file, for good. */
async function stalled(workplace: Workplace, hub: LocalHub): Promise<Figure> {
  const quiet = await workplace.inNewFolder((path) => into(path, hub)())
  let stalls = 0
  hub.fault = ({ origin, range }) => {
    if (origin !== 'cdn' || stalls > 0 || !covers(range, HALF)) return undefined
    stalls += 1
    const start = Number(/^bytes=(\d+)-/.exec(range ?? '')?.[1] ?? 0)
    return { stallAfter: HALF - start }
  }
  const disturbed = await workplace.inNewFolder((path) => into(path, hub)())
  hub.fault = undefined
  const detail = `${(disturbed.wall / 1000).toFixed(2)} s against ${(quiet.wall / 1000).toFixed(2)} s`
  const value = disturbed.wall - quiet.wall
  return { what: 'a body that stalls at half: time lost', value, unit: 'ms', bound: 2000, detail }
}
