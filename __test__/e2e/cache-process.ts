import type {
  FileInfo,
  Manifest,
  MaterializeOptions,
  ModelCache,
  OpenOptions,
  Progress,
} from '@tabagent/model-cache'
import type { ExecutionContext } from 'ava'
import { type Child, startChild } from '../support/child.js'

/** Calls whose arguments and results can be sent from one process to another. */
type PlainCall =
  | 'scanRepo'
  | 'getManifest'
  | 'listFiles'
  | 'hasFile'
  | 'downloadQuant'
  | 'downloadFile'
  | 'removeFile'
  | 'removeQuant'
  | 'removeRepo'
  | 'importHfCache'
  | 'inspect'
  | 'stats'
  | 'close'

/** A cache that another process has open. */
export class CacheProcess {
  readonly child: Child

  /** Starts a process; it has no cache open yet. It is killed when the test ends. */
  constructor(t: ExecutionContext, environment: Record<string, string> = {}) {
    this.child = startChild(t, new URL('./cache-child.js', import.meta.url), environment)
  }

  /** Starts a process and opens a cache in it. */
  static async open(t: ExecutionContext, options: OpenOptions): Promise<CacheProcess> {
    const started = new CacheProcess(t)
    await started.open(options)
    return started
  }

  async open(options: OpenOptions): Promise<void> {
    await this.child.call('open', options)
  }

  call<M extends PlainCall>(
    method: M,
    ...parameters: Parameters<ModelCache[M]>
  ): Promise<Awaited<ReturnType<ModelCache[M]>>> {
    return this.child.call('call', method, parameters) as Promise<Awaited<ReturnType<ModelCache[M]>>>
  }

  /** Starts a download; it has begun when the returned promise resolves, and `done` tells of its end. */
  startDownload(repo: string, quant: string): Promise<{ done: Promise<Manifest> }> {
    return this.#start(repo, { quant })
  }

  /** Starts the download of one file. */
  startFile(repo: string, path: string): Promise<{ done: Promise<FileInfo> }> {
    return this.#start(repo, { path })
  }

  async #start<T>(repo: string, what: { quant: string } | { path: string }): Promise<{ done: Promise<T> }> {
    const done = this.child.call('download', repo, what) as Promise<T>
    // Its failure is the business of whoever awaits it later, or of nobody when the child is killed.
    done.catch(() => {})
    await this.call('hasFile', repo, 'a-file')
    return { done }
  }

  /** Aborts all downloads. */
  async abort(): Promise<void> {
    await this.child.call('abort')
  }

  /** Resolves with the reports so far once `loaded` bytes are there. */
  async loaded(bytes: number): Promise<Progress[]> {
    const reports = await this.child.waitFor('progress', (seen) =>
      (seen as Progress[]).some(({ loaded }) => loaded >= bytes),
    )
    return reports as Progress[]
  }

  /** SHA-256 of a stored file, read through a view that is closed again. */
  digest(repo: string, path: string): Promise<string> {
    return this.child.call('digest', repo, path) as Promise<string>
  }

  /** Opens a view and keeps it; returns its size. */
  hold(repo: string, path: string): Promise<number> {
    return this.child.call('hold', repo, path) as Promise<number>
  }

  /** Holds plain files until `letGo`, or the end of the process. */
  materialize(
    repo: string,
    what: string,
    options: MaterializeOptions = {},
  ): Promise<{ path: string; method: string }> {
    return this.child.call('materialize', repo, what, options) as Promise<{ path: string; method: string }>
  }

  /** Most bytes of memory that the process has had at any time. */
  peakMemory(): Promise<number> {
    return this.child.call('peakMemory') as Promise<number>
  }

  /** Lets all plain files go. */
  async letGo(): Promise<void> {
    await this.child.call('letGo')
  }

  /** SHA-256 of what a kept view shows now. */
  heldDigest(path: string): Promise<string> {
    return this.child.call('heldDigest', path) as Promise<string>
  }
}
