import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import { createServer as createTlsServer } from 'node:https'
import type { AddressInfo, Socket } from 'node:net'
import { setTimeout as delay } from 'node:timers/promises'
import { answerApi } from './api.js'
import { answerCdn } from './cdn.js'
import { Exchange } from './exchange.js'
import type { FaultHook } from './fault.js'
import { Pace } from './pace.js'
import { Problem } from './problem.js'
import { ANONYMOUS_QUOTAS, type Quotas, RateLimit } from './quota.js'
import { type Ref, RepositoryRoot } from './repository.js'
import { type Origin, RequestLog, type RequestRecord } from './request-log.js'
import { UrlSigner } from './signature.js'
import type { Site } from './site.js'

export interface LocalHubOptions {
  /** Folder of repositories: `<root>/<owner>/<name>/...`, settings in `<root>/<owner>/<name>.json`. */
  root: string
  /** Port of the API origin. Default: any that is free. */
  port?: number
  /** Bytes per second of each connection. Default: no limit. */
  throttle?: number
  /** Milliseconds before each answer. Default: 0. */
  latency?: number
  /** Milliseconds that a signed URL is good for. Default: one hour. */
  urlLifetime?: number
  /** Entries of one page of a tree listing. Default: 1000. */
  pageSize?: number
  /** Tokens that exist. Any other in an Authorization header is refused. */
  tokens?: string[]
  /** Requests allowed per window. Default: the Hub's for callers without a token. */
  quotas?: Quotas
  /** Serve https with this key and certificate, both in PEM form. Default: http. */
  tls?: { key: string; cert: string }
  /** Path below which the API origin serves, as a mirror behind another server does: `/hf-mirror`. Default: none. */
  prefix?: string
  /** Decides for each request what goes wrong with it. */
  fault?: FaultHook
}

/** A stand-in for the Hugging Face Hub on two ports of this machine: the Hub itself, and the CDN it redirects to. */
export class LocalHub implements AsyncDisposable {
  /** Every request to either origin. */
  readonly log = new RequestLog()
  /** Decides for each request what goes wrong with it; may be changed at any time. */
  fault: FaultHook | undefined
  readonly #latency: number
  readonly #api: Server
  readonly #cdn: Server
  readonly #connections = new WeakMap<Socket, number>()
  #connectionCount = 0
  #site: Site

  /** Starts both servers. */
  static async start(options: LocalHubOptions): Promise<LocalHub> {
    const hub = new LocalHub(options)
    const [apiPlace, cdnPlace] = await Promise.all([listen(hub.#api, options.port ?? 0), listen(hub.#cdn, 0)])
    const scheme = options.tls ? 'https' : 'http'
    const prefix = hub.#site.prefix
    hub.#site = {
      ...hub.#site,
      apiUrl: `${scheme}://${apiPlace}${prefix}`,
      cdnUrl: `${scheme}://${cdnPlace}`,
    }
    return hub
  }

  private constructor(options: LocalHubOptions) {
    this.fault = options.fault
    this.#latency = options.latency ?? 0
    this.#api = this.#server('api', options.tls)
    this.#cdn = this.#server('cdn', options.tls)
    this.#site = {
      repositories: new RepositoryRoot(options.root),
      signer: new UrlSigner(options.urlLifetime ?? 3_600_000),
      pace: new Pace(options.throttle ?? Infinity),
      rateLimit: new RateLimit(options.quotas ?? ANONYMOUS_QUOTAS),
      tokens: options.tokens ?? [],
      pageSize: options.pageSize ?? 1000,
      prefix: options.prefix ?? '',
      apiUrl: '',
      cdnUrl: '',
      cdnFiles: new Map(),
    }
  }

  /** What a client takes as its endpoint. */
  get url(): string {
    return this.#site.apiUrl
  }

  get cdnUrl(): string {
    return this.#site.cdnUrl
  }

  /** Points a branch or tag of a repository at a folder. The commit it named before stays readable by its id. */
  setRevision(repo: string, revision: string, folder: string, kind: Ref['kind'] = 'branch'): void {
    this.#site.repositories.setRevision(repo, { kind, name: revision, folder })
  }

  /** Ends every signed URL handed out so far, as time does. */
  expireUrls(): void {
    this.#site.signer.expireAll()
  }

  /** Stops both servers and breaks the connections that are left. */
  async close(): Promise<void> {
    await Promise.all(
      [this.#api, this.#cdn].map((server) => {
        const closed = new Promise<void>((resolve) => server.close(() => resolve()))
        server.closeAllConnections()
        return closed
      }),
    )
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close()
  }

  #server(origin: Origin, tls: LocalHubOptions['tls']): Server {
    const answer = (request: IncomingMessage, response: ServerResponse) => {
      this.#answer(origin, request, response).catch(() => request.socket.destroy())
    }
    const options = { keepAliveTimeout: 60_000 }
    return tls ? createTlsServer({ ...options, ...tls }, answer) : createServer(options, answer)
  }

  async #answer(origin: Origin, request: IncomingMessage, response: ServerResponse): Promise<void> {
    const url = new URL(request.url ?? '/', 'http://localhost')
    const record = this.#record(origin, request, url)
    response.once('close', () => {
      record.closed = true
      this.log.changed()
    })
    if (this.#latency > 0) await delay(this.#latency)
    const fault = (await this.fault?.(record)) ?? {}
    const exchange = new Exchange(request, response, url, record, fault, this.log)
    await fault.hold
    if (fault.drop) return exchange.drop()
    if (fault.answer)
      return exchange.reply(fault.answer.status, fault.answer.headers ?? {}, fault.answer.body)
    try {
      await (origin === 'api' ? answerApi(this.#site, exchange) : answerCdn(this.#site, exchange))
    } catch (error) {
      answerProblem(exchange, error)
    }
  }

  #record(origin: Origin, request: IncomingMessage, url: URL): RequestRecord {
    let connection = this.#connections.get(request.socket)
    if (connection === undefined) {
      this.#connectionCount += 1
      connection = this.#connectionCount
      this.#connections.set(request.socket, connection)
    }
    return this.log.add({
      origin,
      connection,
      method: request.method ?? '',
      path: decodeURIComponent(url.pathname),
      query: url.searchParams,
      range: request.headers.range,
      ifNoneMatch: request.headers['if-none-match'],
      authorization: request.headers.authorization !== undefined,
      userAgent: request.headers['user-agent'],
    })
  }
}

function answerProblem(exchange: Exchange, error: unknown): void {
  if (exchange.response.headersSent) {
    exchange.drop()
    return
  }
  const problem = error instanceof Problem ? error : new Problem(500, undefined, String(error))
  exchange.replyJson(
    problem.status,
    { error: problem.message },
    {
      ...problem.headers,
      ...(problem.code && { 'x-error-code': problem.code }),
      'x-error-message': problem.message,
    },
  )
}

async function listen(server: Server, port: number): Promise<string> {
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject)
    server.listen(port, '127.0.0.1', resolve)
  })
  return `127.0.0.1:${(server.address() as AddressInfo).port}`
}
