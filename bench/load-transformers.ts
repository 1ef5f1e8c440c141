import { join } from 'node:path'
import { HubProcess } from '../local-hub/index.js'
import type { LoadParameters } from './child/load-transformers.js'
import { runScript } from './child-process.js'
import type { Measurement } from './figure.js'
import { compare, type Loaded, MODEL } from './loading.js'

/** Both are warm: the first process of each downloads, and does not count. */
export const loadTransformers: Measurement = {
  letter: 't',
  title: 'transformers.js: its own file cache, and the store',
  measure: (workplace) =>
    workplace.inNewFolder(async (folder) => {
      await using hub = await HubProcess.start(MODEL.hub, ['--unlimited'])
      const load = (way: LoadParameters['way'], prepacking: boolean) => async () => {
        const place = { folder: join(folder, way), endpoint: hub.url, repo: MODEL.repo }
        const { result } = await runScript<LoadParameters, Loaded>('load-transformers', {
          ...place,
          way,
          prepacking,
        })
        return result
      }
      const both = (prepacking: boolean) => ({
        store: load('store', prepacking),
        own: load('own', prepacking),
      })
      const bounds = { time: 0.7, anonymous: 0.5 }
      return [
        ...(await compare('pipeline() through the store / own cache', bounds, both(true))),
        ...(await compare('the same without prepacking', bounds, both(false))),
      ]
    }),
}
