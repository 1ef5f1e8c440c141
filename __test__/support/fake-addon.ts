import type { Binding, NativeCache, Operation } from '#dist/binding.js'
import { openCache } from '#dist/cache.js'
import type { ManifestDocument } from '#dist/manifest.js'
import { createRuntime } from '#dist/runtime.js'

type NativeProgress = NonNullable<ReturnType<Operation['takeProgress']>>

const DOCUMENT: ManifestDocument = {
  repo: 'acme/model',
  revision: 'main',
  commit: 'c0',
  tags: [],
  gated: false,
  stale: false,
  scannedAt: 0,
  quants: [],
  sharedFiles: [],
  files: { paths: [], sizes: [], digests: [], roles: [], role: [], stored: '' },
}

/** The manifest of a repository without files, as the addon tells it. */
export const EMPTY_MANIFEST = JSON.stringify(DOCUMENT)

/** The addon's end of a call, in the hands of a test. */
export class FakeOperation {
  cancelled = false
  #latest: NativeProgress | null = null

  cancel(): void {
    this.cancelled = true
  }

  report(loaded: number, total: number): void {
    this.#latest = { repo: 'acme/model', loaded, total, files: [], bytesPerSecond: 0, resumedFrom: 0 }
  }

  takeProgress(): NativeProgress | null {
    const latest = this.#latest
    this.#latest = null
    return latest
  }
}

/** An addon whose calls do what the test says, so that their timing is the test's. */
export async function openFakeCache(calls: Partial<NativeCache>) {
  const operations: FakeOperation[] = []
  const opened: unknown[] = []
  const binding = {
    Operation: class extends FakeOperation {
      constructor() {
        super()
        operations.push(this)
      }
    },
    async openCache(path: string, options: object) {
      opened.push({ path, ...options })
      return { path, ...calls }
    },
  }
  const runtime = createRuntime(binding as unknown as Binding)
  const cache = await openCache(runtime, { path: '/store' })
  operations.length = 0
  return { cache, runtime, operations, opened }
}

/** A call of the addon that ends when the test says so. */
export class PendingCall<T> {
  readonly started: { operation: FakeOperation; nudge: (() => void) | undefined }[] = []
  readonly #promise: Promise<T>
  resolve!: (value: T) => void
  reject!: (error: Error) => void

  constructor() {
    this.#promise = new Promise((resolve, reject) => {
      this.resolve = resolve
      this.reject = reject
    })
  }

  /** Stands in for a method whose last arguments are the operation and, for downloads, the nudge. */
  readonly call = (...parameters: unknown[]): Promise<T> => {
    const operation = parameters.find((parameter) => parameter instanceof FakeOperation) as FakeOperation
    const nudge = parameters.find((parameter) => typeof parameter === 'function') as (() => void) | undefined
    this.started.push({ operation, nudge })
    return this.#promise
  }

  get operation(): FakeOperation {
    const first = this.started[0]
    if (!first) throw new Error('the call has not started')
    return first.operation
  }

  nudge(): void {
    this.started[0]?.nudge?.()
  }
}
