import { readdir, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { DigestCache } from './digest.js'
import { readSettings, type Settings } from './settings.js'
import { readSnapshot, type Snapshot } from './snapshot.js'

/** A name that follows a commit. */
export interface Ref {
  readonly kind: 'branch' | 'tag'
  readonly name: string
  readonly folder: string
}

/** One repository of the served folder, read anew for each request so that a changed folder is a new commit. */
export interface Repository {
  readonly id: string
  readonly settings: Settings
  readonly refs: readonly Ref[]
}

const ID = /^[\w-][\w.-]*(\/[\w-][\w.-]*)?$/

/** The repositories under one root folder, and every commit seen of them. */
export class RepositoryRoot {
  readonly #root: string
  readonly #digests = new DigestCache()
  readonly #moved = new Map<string, Ref>()
  readonly #commits = new Map<string, Snapshot>()

  constructor(root: string) {
    this.#root = root
  }

  /** Points a branch or tag at another folder: the commit it named stays readable by its id. */
  setRevision(id: string, ref: Ref): void {
    this.#moved.set(`${id}@${ref.name}`, ref)
  }

  /** The repository of that id, in any case or by a former name; its `id` is the true one. */
  async find(id: string): Promise<Repository | undefined> {
    if (!ID.test(id)) return undefined
    return (await this.#open(id)) ?? (await this.#findAlias(id))
  }

  /** The snapshot a branch, tag or commit names. */
  async snapshot(repository: Repository, revision: string): Promise<Snapshot | undefined> {
    const ref = repository.refs.find((ref) => ref.name === revision || fullName(ref) === revision)
    if (!ref) return this.#commits.get(`${repository.id}@${revision}`)
    const snapshot = await readSnapshot(ref.folder, repository.settings, this.#digests)
    this.#commits.set(`${repository.id}@${snapshot.commit}`, snapshot)
    return snapshot
  }

  async #open(id: string): Promise<Repository | undefined> {
    const folder = join(this.#root, id)
    const settings = await readSettings(`${folder}.json`)
    const isFolder = await stat(folder).then(
      (stats) => stats.isDirectory(),
      () => false,
    )
    // A folder of the first level is an owner, unless its settings say that it is a repository.
    if (!isFolder || !(id.includes('/') || settings)) return undefined
    return { id, settings: settings ?? {}, refs: this.#refs(id, folder, settings ?? {}) }
  }

  #refs(id: string, folder: string, settings: Settings): Ref[] {
    const refs: Ref[] = [{ kind: 'branch', name: 'main', folder }]
    const add = (kind: Ref['kind'], folders: Record<string, string> = {}) => {
      for (const [name, path] of Object.entries(folders)) {
        refs.push({ kind, name, folder: join(this.#root, path) })
      }
    }
    add('branch', settings.branches)
    add('tag', settings.tagged)
    const moved = [...this.#moved].filter(([key]) => key.startsWith(`${id}@`)).map(([, ref]) => ref)
    return [...refs.filter((ref) => !moved.some((other) => other.name === ref.name)), ...moved]
  }

  async #findAlias(id: string): Promise<Repository | undefined> {
    const wanted = id.toLowerCase()
    for (const candidate of await this.#ids()) {
      const repository = await this.#open(candidate)
      const names = [candidate, ...(repository?.settings.aliases ?? [])]
      if (repository && names.some((name) => name.toLowerCase() === wanted)) return repository
    }
    return undefined
  }

  async #ids(): Promise<string[]> {
    const owners = await folders(this.#root)
    const nested = owners.map(async (owner) =>
      (await folders(join(this.#root, owner))).map((name) => `${owner}/${name}`),
    )
    return [...owners, ...(await Promise.all(nested)).flat()]
  }
}

/** `refs/heads/main`, as the Hub lists it. */
export function fullName(ref: Ref): string {
  return `refs/${ref.kind === 'branch' ? 'heads' : 'tags'}/${ref.name}`
}

async function folders(path: string): Promise<string[]> {
  const entries = await readdir(path, { withFileTypes: true })
  return entries.filter((entry) => entry.isDirectory()).map((entry) => entry.name)
}
