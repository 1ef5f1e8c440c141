import { createHash } from 'node:crypto'
import { setTimeout as delay } from 'node:timers/promises'
import type { ModelCache, OpenOptions } from '@tabagent/model-cache'
import type { ExecutionContext } from 'ava'
import type { LocalHub } from '../../local-hub/index.js'
import { cdnEtag } from '../../local-hub/resolve.js'
import type { Random } from '../support/random.js'
import { CacheProcess } from './cache-process.js'
import { quantOf, SLACK, until } from './half-way.js'

export const QUANT = 'Q4_K_M'
export const WEIGHTS = 'm-Q4_K_M.gguf'

/** Longest life of a process that is killed, milliseconds. */
const LIFE = 900

/** A process is killed so long after the last byte was sent, at most: it hashes, syncs, commits and publishes then. */
const ENDING = 80

/** What a call says whose process was killed: it waited for the answer, or was just being sent. */
const KILLED = /^the child ended \(SIGKILL\)$|EPIPE|ECONNRESET|channel closed/i

/** Most kills in one download. */
const KILLS = 6

/** Where the lanes run. */
export interface World {
  readonly t: ExecutionContext
  readonly hub: LocalHub
  /** A cache over the store that is never killed. */
  readonly cache: ModelCache
  readonly options: OpenOptions
  readonly random: Random
  /** Kills that are still to come, of all lanes. */
  left: number
}

/** What the weights of one download cost. */
export interface Cost {
  kills: number
  /** Bytes sent beyond the size of the file. */
  again: number
}

/** A process that downloads. */
interface Worker {
  process: CacheProcess
  ended: boolean
  done: Promise<void>
}

/** One repository that is downloaded, by one process or by two, and removed, again and again. */
export class Lane {
  readonly #world: World
  readonly #repo: string
  /** Files by path. */
  readonly #digests: Map<string, string>
  readonly #size: number
  #workers: Worker[] = []

  constructor(world: World, repo: string, files: Record<string, Buffer>) {
    this.#world = world
    this.#repo = repo
    this.#digests = new Map(Object.entries(files).map(([path, bytes]) => [path, sha256(bytes)]))
    this.#size = files[WEIGHTS]?.length ?? 0
  }

  async run(): Promise<Cost[]> {
    const costs: Cost[] = []
    try {
      while (this.#world.left > 0) costs.push(await this.#download())
    } catch (error) {
      // The other lanes end, too, before the test does.
      this.#world.left = 0
      throw error
    }
    return costs
  }

  async #download(): Promise<Cost> {
    const { t, cache, random } = this.#world
    const before = this.#sent()
    const planned = 1 + random(KILLS)
    let kills = 0
    while (kills < planned && this.#world.left > 0) {
      this.#world.left -= 1
      this.#startSome()
      await this.#moment(before)
      if (this.#isComplete()) {
        this.#world.left += 1
        break
      }
      kills += 1
      await this.#killOne()
    }
    if (this.#workers.length === 0) this.#start()
    await Promise.all(this.#workers.map(({ done }) => done))
    await Promise.all(this.#workers.map(({ process }) => process.child.end()))
    this.#workers = []
    this.#check()
    const again = this.#sent() - before - this.#size
    t.true(again <= (kills + 1) * SLACK, `${again} bytes again after ${kills} kills`)
    t.deepEqual((await cache.removeRepo(this.#repo)).kept, [])
    return { kills, again }
  }

  /** At least one process, and often a second one that waits for it. */
  #startSome(): void {
    if (this.#workers.length === 0) this.#start()
    if (this.#workers.length === 1 && this.#world.random(2) === 0) this.#start()
  }

  #start(): void {
    const process = new CacheProcess(this.#world.t)
    const worker = { process, ended: false, done: this.#work(process) }
    worker.done = worker.done.then(() => {
      worker.ended = true
    })
    // Its failure is looked at when it is killed, or in the end.
    worker.done.catch(() => {})
    this.#workers.push(worker)
  }

  async #work(process: CacheProcess): Promise<void> {
    await process.open(this.#world.options)
    const { done } = await process.startDownload(this.#repo, QUANT)
    await done
  }

  /** Any moment of a process's life, or soon after the last byte was sent. */
  async #moment(before: number): Promise<void> {
    const { random } = this.#world
    if (random(3) > 0) return void (await delay(random(LIFE)))
    await until(() => this.#isComplete() || this.#sent() - before >= this.#size)
    await delay(random(ENDING))
  }

  /** Kills one of the processes, whatever it is doing. The next one continues, or the one that waits. */
  async #killOne(): Promise<void> {
    const { t, cache, random } = this.#world
    const [victim] = this.#workers.splice(random(this.#workers.length), 1)
    await victim?.process.child.kill()
    const failure = await victim?.done.catch((error: Error) => error.message)
    if (failure !== undefined) t.regex(failure, KILLED)
    if (this.#workers.length > 0) return
    t.not(cache.getManifest(this.#repo)?.quants[QUANT]?.status, 'downloading', 'a lock is still held')
  }

  /** Whether some process says that it has everything. */
  #isComplete(): boolean {
    return this.#workers.some(({ ended }) => ended)
  }

  #check(): void {
    const { t, cache } = this.#world
    t.is(quantOf(cache.getManifest(this.#repo), QUANT).status, 'downloaded')
    for (const [path, digest] of this.#digests) {
      using file = cache.getFile(this.#repo, path)
      t.is(file && sha256(file.buffer), digest, path)
    }
  }

  /** Bytes of the weights that were ever sent. */
  #sent(): number {
    const path = `/xet-bridge-us/${cdnEtag(this.#digests.get(WEIGHTS) ?? '')}`
    return this.#world.hub.log.bytesSent({ origin: 'cdn', path })
  }
}

function sha256(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex')
}
