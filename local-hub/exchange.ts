import { randomUUID } from 'node:crypto'
import type { IncomingMessage, ServerResponse } from 'node:http'
import { gzipSync } from 'node:zlib'
import type { Fault } from './fault.js'
import type { RequestLog, RequestRecord } from './request-log.js'

export type Headers = Record<string, string | number>

/** One request and its answer. Everything that is sent goes through here, so that the record of it is complete. */
export class Exchange {
  readonly request: IncomingMessage
  readonly response: ServerResponse
  readonly url: URL
  readonly record: RequestRecord
  readonly fault: Fault
  readonly #log: RequestLog
  readonly #headers: Headers = {}

  constructor(
    request: IncomingMessage,
    response: ServerResponse,
    url: URL,
    record: RequestRecord,
    fault: Fault,
    log: RequestLog,
  ) {
    this.request = request
    this.response = response
    this.url = url
    this.record = record
    this.fault = fault
    this.#log = log
  }

  /** The bearer token of the request. */
  get token(): string | undefined {
    return /^Bearer (.+)$/.exec(this.request.headers.authorization ?? '')?.[1]
  }

  /** Adds headers to the answer, whatever it will be. */
  addHeaders(headers: Headers): void {
    Object.assign(this.#headers, headers)
  }

  /** Sends the head of the answer. */
  begin(status: number, headers: Headers): void {
    const all: Record<string, string | number | undefined> = {
      'x-request-id': randomUUID(),
      ...this.#headers,
      ...headers,
      ...this.fault.headers,
    }
    for (const [name, value] of Object.entries(all)) {
      if (value !== undefined) this.response.setHeader(name, value)
    }
    this.response.writeHead(status)
    this.record.status = status
    this.#log.changed()
  }

  /** Sends a whole answer; for HEAD only its head. */
  reply(status: number, headers: Headers, body: string | Buffer = ''): void {
    const bytes = Buffer.from(body)
    this.begin(status, { 'content-length': bytes.length, ...headers })
    const sent = this.request.method !== 'HEAD'
    this.response.end(sent ? bytes : undefined)
    if (sent) this.count(bytes.length)
  }

  /** Sends JSON, compressed if the client takes that: its size then is not what Content-Length says. */
  replyJson(status: number, value: unknown, headers: Headers = {}): void {
    const text = JSON.stringify(this.fault.edit ? this.fault.edit(value) : value)
    const type = { 'content-type': 'application/json; charset=utf-8', vary: 'Accept-Encoding' }
    if (this.acceptsGzip()) {
      this.reply(status, { ...type, ...headers, 'content-encoding': 'gzip' }, gzipSync(text))
    } else {
      this.reply(status, { ...type, ...headers }, text)
    }
  }

  /** Whether the body may be compressed, or is to be whatever the client says. */
  acceptsGzip(): boolean {
    return this.fault.compress || /\bgzip\b/.test(String(this.request.headers['accept-encoding'] ?? ''))
  }

  /** Sends a piece of the body; resolves when the kernel has all of it, false once the client is gone. */
  async write(piece: Buffer): Promise<boolean> {
    if (this.response.destroyed) return false
    const sent = await new Promise<boolean>((resolve) => {
      const onClose = () => resolve(false)
      this.response.once('close', onClose)
      this.response.write(piece, (error) => {
        this.response.off('close', onClose)
        resolve(!error)
      })
    })
    if (sent) this.count(piece.length)
    return sent
  }

  /** Breaks the connection: the client reads what was sent, and then its end. */
  drop(): void {
    this.request.socket.destroy()
  }

  /** Breaks the connection: the client reads an error, perhaps before what was sent. */
  reset(): void {
    this.request.socket.resetAndDestroy()
  }

  /** Resolves when the client has gone or the answer has ended. */
  async closed(): Promise<void> {
    if (this.response.closed) return
    await new Promise<void>((resolve) => this.response.once('close', resolve))
  }

  private count(bytes: number): void {
    this.record.bytesSent += bytes
    this.#log.changed()
  }
}
