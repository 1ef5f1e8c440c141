import type { ExecutionContext } from 'ava'
import { LocalHub, type LocalHubOptions, type RequestFilter, type Settings } from '../../local-hub/index.js'
import { makeFolder } from './folder.js'
import { type Files, writeRepository } from './repository.js'

/** Repositories by id: files, or files and settings. */
export type Repositories = Record<string, Files | { files: Files; settings: Settings }>

/** Writes the repositories into a folder of their own and serves it for as long as the test runs. */
export async function startHub(
  t: ExecutionContext,
  repositories: Repositories,
  options: Omit<LocalHubOptions, 'root'> = {},
): Promise<{ hub: LocalHub; root: string }> {
  const root = await makeFolder(t)
  for (const [id, content] of Object.entries(repositories)) {
    if (hasSettings(content)) await writeRepository(root, id, content.files, content.settings)
    else await writeRepository(root, id, content)
  }
  const hub = await LocalHub.start({ root, ...options })
  t.teardown(() => hub.close())
  return { hub, root }
}

/** Expects exactly so many requests to each origin since the start, or since the log was last cleared. */
export function expectRequests(
  t: ExecutionContext,
  hub: LocalHub,
  expected: { api: number; cdn: number },
  filter: RequestFilter = {},
): void {
  const count = (origin: 'api' | 'cdn') => hub.log.filter({ ...filter, origin }).length
  const lines = hub.log.records.map(
    (record) => `${record.method} ${record.origin} ${record.path} ${record.range ?? ''}`,
  )
  t.deepEqual({ api: count('api'), cdn: count('cdn') }, expected, `requests:\n${lines.join('\n')}`)
}

function hasSettings(
  content: Files | { files: Files; settings: Settings },
): content is { files: Files; settings: Settings } {
  return 'settings' in content && 'files' in content
}
