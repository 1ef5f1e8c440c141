/** Which of the two servers a request went to: the Hub itself, or the storage its redirects point at. */
export type Origin = 'api' | 'cdn'

/** One request, recorded when its head has arrived and kept up to date while it is answered. */
export interface RequestRecord {
  readonly number: number
  readonly origin: Origin
  readonly method: string
  /** Decoded path, without the query (signatures never reach a log). */
  readonly path: string
  readonly query: URLSearchParams
  readonly range: string | undefined
  /** The ETag of the answer the client has already. */
  readonly ifNoneMatch: string | undefined
  /** Whether an Authorization header came with it. */
  readonly authorization: boolean
  readonly userAgent: string | undefined
  /** The same number for requests on the same connection. */
  readonly connection: number
  /** 0 until the answer begins. */
  status: number
  /** Body bytes handed to the connection so far. */
  bytesSent: number
  /** True once the answer has ended, completely or not. */
  closed: boolean
}

/** Picks requests: every field given must be equal, `path` may also be a pattern. */
export type RequestFilter = Partial<Omit<RequestRecord, 'path' | 'query'>> & { path?: string | RegExp }

/** The requests a hub has received, oldest first. */
export class RequestLog {
  #records: RequestRecord[] = []
  readonly #watchers = new Set<() => void>()
  #count = 0

  get records(): readonly RequestRecord[] {
    return this.#records
  }

  /** The requests that match. */
  filter(filter: RequestFilter = {}): RequestRecord[] {
    return this.#records.filter((record) => matches(record, filter))
  }

  /** Body bytes sent in answer to the requests that match. */
  bytesSent(filter: RequestFilter = {}): number {
    return this.filter(filter).reduce((sum, record) => sum + record.bytesSent, 0)
  }

  /** Forgets what came so far. */
  clear(): void {
    this.#records = []
  }

  /** Resolves as soon as the log satisfies `condition`, which is asked again after every change. */
  async waitFor(condition: (log: RequestLog) => boolean): Promise<void> {
    if (condition(this)) return
    await new Promise<void>((resolve, reject) => {
      const watcher = () => {
        try {
          if (!condition(this)) return
          resolve()
        } catch (error) {
          reject(error)
        }
        this.#watchers.delete(watcher)
      }
      this.#watchers.add(watcher)
    })
  }

  add(request: Omit<RequestRecord, 'number' | 'status' | 'bytesSent' | 'closed'>): RequestRecord {
    this.#count += 1
    const record = { ...request, number: this.#count, status: 0, bytesSent: 0, closed: false }
    this.#records.push(record)
    this.changed()
    return record
  }

  /** To be called after a record was changed. */
  changed(): void {
    for (const watcher of this.#watchers) watcher()
  }
}

function matches(record: RequestRecord, filter: RequestFilter): boolean {
  return Object.entries(filter).every(([name, wanted]) => {
    if (wanted instanceof RegExp) return wanted.test(record.path)
    return record[name as keyof RequestRecord] === wanted
  })
}
