import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import { ModelCache } from '@tabagent/model-cache'
import { writeContent } from '../__test__/support/content.js'
import { damageFile } from '../__test__/support/damage.js'
import { LocalHub } from '../local-hub/index.js'
import { GIB, type Measurement, MIB } from './figure.js'
import type { Model, Workplace } from './workplace.js'

const MODEL: Model = { repo: 'bench/repair', path: 'model.gguf', size: GIB, sparse: true }

/** What a damaged byte costs: bytes of bodies that the storage origin sends for its repair. */
export const repair: Measurement = {
  letter: 'l',
  title: 'repairing one inverted byte of 1 GiB',
  measure(workplace) {
    return workplace.inNewFolder((path) => measureIn(workplace, path))
  },
}

async function measureIn(workplace: Workplace, path: string) {
  const root = join(workplace.folder, 'repair')
  await mkdir(join(root, MODEL.repo), { recursive: true })
  await writeContent(join(root, MODEL.repo, MODEL.path), {
    size: MODEL.size,
    sparse: MODEL.sparse,
    seed: MODEL.repo,
  })
  await using hub = await LocalHub.start({ root })
  const cache = await ModelCache.open({ path, endpoint: hub.url, noProxy: '*' })
  await cache.downloadFile(MODEL.repo, MODEL.path)
  await damageFile(cache, MODEL.repo, MODEL.path, MODEL.size / 2 + 12_345)
  hub.log.clear()
  const { damaged } = await cache.verify({ repair: true })
  const value = hub.log.bytesSent({ origin: 'cdn' }) / MIB
  await cache.close()
  const outcome = damaged.map(
    ({ length, repaired }) => `${length} bytes ${repaired ? 'repaired' : 'not repaired'}`,
  )
  const detail = outcome.join(', ') || 'the damage was not found'
  return [{ what: 'repair of one byte of 1 GiB: fetched', value, unit: 'MiB' as const, bound: 8, detail }]
}
