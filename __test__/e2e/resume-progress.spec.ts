import type { Progress } from '@tabagent/model-cache'
import test from 'ava'
import { ggufFiles } from '../support/repository.js'
import { openStore, REPO } from '../support/store.js'
import { CacheProcess } from './cache-process.js'
import { holdAt, MIB, recorded } from './half-way.js'

const SIZE = 16 * MIB
const HALF = SIZE / 2
const QUANT = 'Q4_K_M'

test('the reports of a continued download begin with what was there and never fall', async (t) => {
  const { cache, hub, path } = await openStore(t, ggufFiles('m', [QUANT], SIZE))
  await cache.scanRepo(REPO)
  const held = holdAt(hub, HALF)
  const child = await CacheProcess.open(t, { path, endpoint: hub.url })
  await child.startDownload(REPO, QUANT)
  await recorded(cache, REPO, QUANT, HALF)
  await child.child.kill()
  held.open()
  const seen: Progress[] = []
  await cache.downloadQuant(REPO, QUANT, { onProgress: (progress) => seen.push(progress) })
  const loaded = seen.map((progress) => progress.loaded)
  t.true(seen.every(({ resumedFrom }) => resumedFrom === HALF))
  t.deepEqual(
    loaded,
    loaded.map((value, index) => Math.max(value, loaded[index - 1] ?? HALF)),
  )
})
