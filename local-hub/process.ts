import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import type { RequestRecord } from './request-log.js'

/** A local hub in a process of its own, so that its work is not counted as the client's. */
export class HubProcess implements AsyncDisposable {
  readonly url: string
  readonly cdnUrl: string
  readonly #child: ChildProcess

  /** Serves `root`; `options` are the flags of main.ts. Ends with this process at the latest. */
  static async start(root: string, options: readonly string[] = []): Promise<HubProcess> {
    const script = fileURLToPath(new URL('main.js', import.meta.url))
    const child = fork(script, [root, ...options], {
      stdio: ['ignore', 'pipe', 'inherit', 'ipc'],
      execArgv: [],
    })
    for await (const line of createInterface({ input: child.stdout ?? process.stdin })) {
      return new HubProcess(child, JSON.parse(line))
    }
    throw new Error(`the local hub ended before it served ${root}`)
  }

  private constructor(child: ChildProcess, urls: { url: string; cdnUrl: string }) {
    this.#child = child
    this.url = urls.url
    this.cdnUrl = urls.cdnUrl
  }

  get pid(): number | undefined {
    return this.#child.pid
  }

  /** The requests it has received so far, without their queries. */
  async requests(): Promise<Omit<RequestRecord, 'query'>[]> {
    this.#child.send('requests')
    const [records] = await once(this.#child, 'message')
    return records
  }

  async close(): Promise<void> {
    const ended = once(this.#child, 'exit')
    this.#child.disconnect()
    await ended
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close()
  }
}
