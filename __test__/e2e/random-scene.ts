import { createHash } from 'node:crypto'
import { join } from 'node:path'
import type { OpenOptions } from '@tabagent/model-cache'
import type { ExecutionContext } from 'ava'
import { randomBytes } from '../support/content.js'
import { makeFolder } from '../support/folder.js'
import { COMMIT, writeHfCache } from '../support/hf-cache.js'
import { startHub } from '../support/hub.js'
import { digests, filesOf, REPOS } from './three-repositories.js'

/** A repository that only the folder of huggingface_hub has. */
export const IMPORTED = 'acme/imported'

const IMPORTED_FILES = {
  'config.json': '{"name":"imported"}',
  'onnx/model.onnx': { size: 900_000, seed: 'imported fp32' },
  'onnx/model_fp16.onnx': { size: 70_000, seed: 'the same everywhere' },
}

/** Where processes take random steps: see random-steps-child.ts. */
export interface Scene {
  options: OpenOptions & { path: string }
  /** A cache folder of huggingface_hub. */
  hfCache: string
  run: { options: OpenOptions; repos: string[]; digests: Record<string, string> }
}

/** A hub with three repositories, a folder of huggingface_hub with another one, and a place for a store, in `folder` or one of its own. */
export async function setScene(t: ExecutionContext, folder?: string): Promise<Scene> {
  const repositories = Object.fromEntries(REPOS.map((repo) => [repo, filesOf(repo)]))
  const quotas = { api: Infinity, resolvers: Infinity, window: 300 }
  const { hub } = await startHub(t, repositories, { quotas })
  const hfCache = join(await makeFolder(t), 'hub')
  await writeHfCache(hfCache, IMPORTED, COMMIT, IMPORTED_FILES)
  const options = { path: join(folder ?? (await makeFolder(t)), 'store'), endpoint: hub.url }
  const known = { ...digests(), ...importedDigests() }
  return { options, hfCache, run: { options, repos: [...REPOS, IMPORTED], digests: known } }
}

function importedDigests(): Record<string, string> {
  return Object.fromEntries(
    Object.entries(IMPORTED_FILES).map(([path, content]) => {
      const bytes = typeof content === 'string' ? content : randomBytes(content.size, content.seed)
      return [`${IMPORTED}/${path}`, createHash('sha256').update(bytes).digest('hex')]
    }),
  )
}
