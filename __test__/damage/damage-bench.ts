import { createHash } from 'node:crypto'
import { join } from 'node:path'
import { ModelCache } from '@tabagent/model-cache'
import type { ExecutionContext } from 'ava'
import { type Child, startChild } from '../support/child.js'
import { randomBytes } from '../support/content.js'
import { makeFolder } from '../support/folder.js'
import { startHub } from '../support/hub.js'
import type { Files } from '../support/repository.js'
import type { Outcome, Run } from './damaged-store-child.js'
import { SavedStore } from './saved-store.js'

/** Repositories whose files are stored, and one that is downloaded afterwards. */
function repositories(): Record<string, Files> {
  const names = Array.from({ length: 120 }, (_, n) => `part-${n}/config.json`)
  const small = names.map((name, n) => [name, randomBytes(50 + n * 20, name)] as const)
  return {
    'acme/two': { 'a.bin': randomBytes(70_000, 'two'), 'b.json': randomBytes(5_000, 'b') },
    'acme/one': {
      'a.bin': randomBytes(300_000, 'one'),
      'tokenizer.json': randomBytes(20_000, 't'),
      ...Object.fromEntries(small),
    },
    'acme/new': { 'new.bin': randomBytes(200_000, 'new'), 'new.json': '{}' },
  }
}

/** Files that are stored in chunks. */
export const LARGE = ['acme/one/a.bin', 'acme/two/a.bin']

const NEW = 'acme/new'

function digestsOf(repos: Record<string, Files>): Record<string, string> {
  const digest = (content: unknown) =>
    createHash('sha256')
      .update(content as Buffer)
      .digest('hex')
  const named = Object.entries(repos).flatMap(([repo, files]) =>
    Object.entries(files).map(([path, content]) => [`${repo}/${path}`, digest(content)] as const),
  )
  return Object.fromEntries(named)
}

/** A store to be damaged again and again, and processes that look at it. */
export class DamageBench {
  readonly saved: SavedStore
  /** Names of the files that are stored. */
  readonly stored: string[]
  readonly #t: ExecutionContext
  readonly #run: Run
  #child: Child | undefined

  private constructor(t: ExecutionContext, saved: SavedStore, run: Run) {
    this.#t = t
    this.saved = saved
    this.#run = run
    const isStored = (name: string) => !name.startsWith(NEW) && name !== 'acme/one/part-0/config.json'
    this.stored = Object.keys(run.digests).filter(isStored).sort()
  }

  static async make(t: ExecutionContext): Promise<DamageBench> {
    const repos = repositories()
    // It is asked once or twice for each damage.
    const quotas = { api: Infinity, resolvers: Infinity, window: 300 }
    const { hub } = await startHub(t, repos, { quotas })
    const path = join(await makeFolder(t), 'store')
    const options = { path, endpoint: hub.url }
    const cache = await ModelCache.open(options)
    for (const repo of ['acme/one', 'acme/two'])
      for (const file of Object.keys(repos[repo] ?? {})) await cache.downloadFile(repo, file)
    // Leaves pages that are free.
    await cache.removeFile('acme/one', 'part-0/config.json')
    await cache.close()
    const run = { options, repos: ['acme/one', 'acme/two'], digests: digestsOf(repos) }
    return new DamageBench(t, await SavedStore.of(path), run)
  }

  /** A process opens the store and does everything with it; what a crash was is told in place of an outcome. */
  async visit(readOnly: boolean): Promise<Outcome | string> {
    this.#child ??= startChild(this.#t, new URL('./damaged-store-child.js', import.meta.url))
    try {
      const options = { ...this.#run.options, readOnly }
      return (await this.#child.call('visit', { ...this.#run, options })) as Outcome
    } catch (error) {
      await this.#child.kill()
      this.#child = undefined
      return String(error)
    }
  }
}

/** What must never be: a crash, wrong bytes, or a failure that does not say what it is. */
export function faultsOf(outcome: Outcome | string): string[] {
  if (typeof outcome === 'string') return [outcome]
  const wrong = outcome.wrong.map((name) => `wrong bytes of ${name}`)
  const unclear = Object.entries(outcome.codes).filter(([call, code]) => !isClear(call, code))
  return [...wrong, ...unclear.map(([call, code]) => `${call}: ${code}`)]
}

function isClear(call: string, code: string): boolean {
  return OF_DAMAGE.includes(code) || (call !== 'open' && OF_ALTERED_RECORDS.includes(code))
}

/** Damage; a store that now says it is of another version; one that must be repaired by whoever may write; none. */
const OF_DAMAGE = ['ERR_CORRUPT', 'ERR_VERSION_MISMATCH', 'ERR_READ_ONLY', 'absent']

/** A record that can be read may name what is not there, and promise another digest or size. */
const OF_ALTERED_RECORDS = [
  'ERR_REPO_NOT_FOUND',
  'ERR_REVISION_NOT_FOUND',
  'ERR_FILE_NOT_FOUND',
  'ERR_IN_USE',
  'ERR_INTEGRITY',
  'ERR_INVALID_ARGUMENT',
  'ERR_NO_SPACE',
  'ERR_TOO_LARGE',
]
