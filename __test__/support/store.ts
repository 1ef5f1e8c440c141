import { join } from 'node:path'
import { ModelCache, type OpenOptions } from '@tabagent/model-cache'
import type { ExecutionContext } from 'ava'
import type { LocalHubOptions, Settings } from '../../local-hub/index.js'
import { makeFolder } from './folder.js'
import { startHub } from './hub.js'
import type { Files } from './repository.js'

/** The repository of `openStore`. */
export const REPO = 'acme/model'

/** A cache over a store of its own and a hub that serves `files` as `acme/model`. */
export async function openStore(
  t: ExecutionContext,
  files: Files,
  options: OpenOptions = {},
  { settings = {}, ...hubOptions }: Omit<LocalHubOptions, 'root'> & { settings?: Settings } = {},
) {
  const { hub } = await startHub(t, { [REPO]: { files, settings } }, hubOptions)
  const path = join(await makeFolder(t), 'store')
  const cache = await ModelCache.open({ path, endpoint: hub.url, ...options })
  t.teardown(() => cache.close())
  return { cache, hub, path }
}

/** The same, with all files stored. */
export async function fillStore(t: ExecutionContext, files: Files, options: OpenOptions = {}) {
  const store = await openStore(t, files, options)
  for (const path of Object.keys(files)) await store.cache.downloadFile(REPO, path)
  return { ...store, open: (path: string) => openStored(store.cache, path) }
}

/** Opens what a test has stored. */
export function openStored<File>(
  cache: { getFile(repo: string, path: string): File | undefined },
  path: string,
): File {
  const file = cache.getFile(REPO, path)
  if (!file) throw new Error(`${path} is not stored`)
  return file
}

/** Collects garbage, and lets finalizers run until `condition` holds; false if it never does. */
export async function collect(condition: () => boolean): Promise<boolean> {
  const turn = () => new Promise((resolve) => setImmediate(resolve))
  for (let round = 0; round < 50; round += 1) {
    // What a WeakRef gave out lives until the turn ends.
    await turn()
    globalThis.gc?.()
    await turn()
    if (condition()) return true
  }
  return false
}
