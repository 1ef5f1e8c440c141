import { rmSync } from 'node:fs'
import { mkdir, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { writeContent } from '../__test__/support/content.js'
import { HubProcess } from '../local-hub/index.js'
import { ROOT, runProgram } from './child-process.js'
import { settleDisk, syncFile } from './disk.js'
import { GIB } from './figure.js'

/** A repository of one file, made when it is first asked for. */
export interface Model {
  repo: string
  path: string
  size: number
  /** Zeros but for both ends, taking no room on the serving side; else pseudo-random bytes. */
  sparse: boolean
}

/** 1 GiB of bytes that nothing can compress or skip. */
export const MODEL: Model = { repo: 'bench/random-1-gib', path: 'model.gguf', size: GIB, sparse: false }

/** A large file of `gib` GiB. */
export function largeModel(gib: number): Model {
  return { repo: `bench/sparse-${gib}-gib`, path: 'model.gguf', size: gib * GIB, sparse: true }
}

/** The folder the measurements work in, and the local Hub, in a process of its own, that they download from. */
export class Workplace implements AsyncDisposable {
  readonly folder = join(ROOT, '.work', 'bench')
  readonly #made = new Set<string>()
  readonly #hubs = new Map<number, HubProcess>()
  #folders = 0

  /** Starts with an empty folder. */
  static async create(): Promise<Workplace> {
    const workplace = new Workplace()
    workplace.removeNow()
    await mkdir(workplace.folder, { recursive: true })
    return workplace
  }

  /** Where the bytes of a model lie as a plain file. */
  async modelFile(model: Model): Promise<string> {
    const folder = join(this.folder, 'hub', model.repo)
    const location = join(folder, model.path)
    if (!this.#made.has(location)) {
      await mkdir(folder, { recursive: true })
      await writeContent(location, { size: model.size, sparse: model.sparse, seed: model.repo })
      await settleDisk()
      this.#made.add(location)
    }
    return location
  }

  /** A Hub that has `model`, sending each connection at most `throttle` bytes per second. It knows the digest already. */
  async hub(model: Model, throttle = 0): Promise<HubProcess> {
    await this.modelFile(model)
    const hub = this.#hubs.get(throttle) ?? (await this.#startHub(throttle))
    const listing = await fetch(`${hub.url}/api/models/${model.repo}/revision/main?blobs=true`)
    if (!listing.ok) throw new Error(`the local hub answers ${listing.status} about ${model.repo}`)
    await listing.arrayBuffer()
    return hub
  }

  /** Runs `work` with a folder that is not there yet, and leaves nothing of it: neither on disk nor waiting for the disk. */
  async inNewFolder<T>(work: (folder: string) => Promise<T>): Promise<T> {
    this.#folders += 1
    const folder = join(this.folder, `run-${this.#folders}`)
    try {
      return await work(folder)
    } finally {
      await rm(folder, { recursive: true, force: true })
      await settleDisk()
    }
  }

  /** Milliseconds that curl needs to download a model to a new file. */
  async curl(hub: HubProcess, model: Model): Promise<number> {
    return this.inNewFolder((folder) => this.#curlInto(folder, hub, model))
  }

  /** The same with what a cache owes its users: OpenSSL computes the digest of the file, and the disk has it. */
  async curlVerified(hub: HubProcess, model: Model): Promise<number> {
    return this.inNewFolder(async (folder) => {
      const downloaded = await this.#curlInto(folder, hub, model)
      const path = join(folder, model.path)
      const { wall: hashed } = await runProgram('openssl', ['dgst', '-sha256', path])
      return downloaded + hashed + (await syncFile(path))
    })
  }

  async #curlInto(folder: string, hub: HubProcess, model: Model): Promise<number> {
    await mkdir(folder)
    const url = `${hub.url}/${model.repo}/resolve/main/${model.path}`
    const flags = ['--silent', '--show-error', '--fail', '--location', '--noproxy', '*']
    const { wall } = await runProgram('curl', [...flags, '--output', join(folder, model.path), url])
    return wall
  }

  /** Removes everything at once, for when the process is about to end. */
  removeNow(): void {
    rmSync(this.folder, { recursive: true, force: true })
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all([...this.#hubs.values()].map((hub) => hub.close()))
    this.removeNow()
  }

  async #startHub(throttle: number): Promise<HubProcess> {
    const flags = throttle > 0 ? ['--throttle', String(throttle)] : []
    const hub = await HubProcess.start(join(this.folder, 'hub'), ['--unlimited', ...flags])
    this.#hubs.set(throttle, hub)
    return hub
  }
}
