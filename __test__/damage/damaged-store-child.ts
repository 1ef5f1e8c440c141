import { createHash } from 'node:crypto'
import { isModelCacheError, ModelCache, type OpenOptions } from '@tabagent/model-cache'
import { serveCommands } from '../support/child-commands.js'

/** What a process made of a store. */
export interface Outcome {
  /** Files whose bytes were right. */
  right: string[]
  /** Files that were handed out with other bytes than they have. */
  wrong: string[]
  /** The codes of what failed; an error without one is told whole. */
  codes: Record<string, string>
}

/** What a process is to do, with which store. */
export interface Run {
  options: OpenOptions
  repos: string[]
  /** SHA-256 of every file, by `repository/path`. */
  digests: Record<string, string>
}

class Visit {
  readonly #run: Run
  readonly outcome: Outcome = { right: [], wrong: [], codes: {} }

  constructor(run: Run) {
    this.#run = run
  }

  async all(): Promise<void> {
    const cache = await this.#try('open', () => ModelCache.open(this.#run.options))
    if (!cache) return
    await this.#look(cache)
    await this.#try('verify', () => cache.verify())
    if (!this.#run.options.readOnly) await this.#change(cache)
    await this.#try('close', () => cache.close())
  }

  /** Reads all there is, and lets every listing be made. */
  async #look(cache: ModelCache): Promise<void> {
    for (const name of Object.keys(this.#run.digests)) await this.#try(name, () => this.#read(cache, name))
    await this.#try('listManifests', () => cache.listManifests())
    await this.#try('stats', () => cache.stats())
    for (const repo of this.#run.repos) {
      await this.#try(`getManifest ${repo}`, () => cache.getManifest(repo))
      await this.#try(`listFiles ${repo}`, () => cache.listFiles(repo))
    }
  }

  async #change(cache: ModelCache): Promise<void> {
    const [first = '', second = ''] = this.#run.repos
    await this.#try('scan', () => cache.scanRepo('acme/new'))
    await this.#try('download', () => cache.downloadFile('acme/new', 'new.bin'))
    await this.#try('download small', () => cache.downloadFile('acme/new', 'new.json'))
    await this.#try('acme/new/new.bin', () => this.#read(cache, 'acme/new/new.bin'))
    await this.#try('remove', () => cache.removeFile(second, 'a.bin'))
    await this.#try('removeRepo', () => cache.removeRepo(second))
    await this.#try('prune', () => cache.prune())
    await this.#try('verify repair', () => cache.verify({ repair: true }))
    await this.#try('downloadQuant', () => cache.downloadFile(first, 'a.bin'))
    await this.#look(cache)
  }

  #read(cache: ModelCache, name: string): void {
    const [owner, repo, ...path] = name.split('/')
    const file = cache.getFile(`${owner}/${repo}`, path.join('/'), { verify: true })
    if (!file) return
    try {
      const digest = createHash('sha256').update(file.buffer).digest('hex')
      this.outcome[digest === this.#run.digests[name] ? 'right' : 'wrong'].push(name)
    } finally {
      file.close()
    }
  }

  async #try<T>(what: string, work: () => T): Promise<Awaited<T> | undefined> {
    try {
      return await work()
    } catch (error) {
      const code = isModelCacheError(error) ? error.code : `no code: ${error}`
      const { message } = error as Error
      // Nothing is there that could be opened read-only.
      const isAbsent = code === 'ERR_IO' && /No such file or directory/.test(message) && what === 'open'
      this.outcome.codes[what] = isAbsent ? 'absent' : code === 'ERR_IO' ? `ERR_IO: ${message}` : code
      return undefined
    }
  }
}

serveCommands({
  async visit(run: Run): Promise<Outcome> {
    const visit = new Visit(run)
    await visit.all()
    return visit.outcome
  },
})
