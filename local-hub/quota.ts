/** Requests allowed in one fixed window, per bucket. The Hub's own numbers for callers without a token. */
export interface Quotas {
  api: number
  resolvers: number
  /** Length of the window in seconds. */
  window: number
}

export const ANONYMOUS_QUOTAS: Quotas = { api: 500, resolvers: 3000, window: 300 }

/** Counts requests against the quotas and says so in the headers of the IETF draft that the Hub follows. */
export class RateLimit {
  readonly #quotas: Quotas
  #windowStart = Date.now()
  #used = { api: 0, resolvers: 0 }

  constructor(quotas: Quotas) {
    this.#quotas = quotas
  }

  /** Takes one request out of the bucket. `exceeded`: the answer is 429. */
  take(bucket: 'api' | 'resolvers'): { exceeded: boolean; headers: Record<string, string> } {
    const reset = this.#secondsLeft()
    const quota = this.#quotas[bucket]
    this.#used[bucket] += 1
    const remaining = Math.max(0, quota - this.#used[bucket])
    const headers = {
      ratelimit: `"${bucket}";r=${remaining};t=${reset}`,
      'ratelimit-policy': `"fixed window";"${bucket}";q=${quota};w=${this.#quotas.window}`,
    }
    return { exceeded: this.#used[bucket] > quota, headers }
  }

  #secondsLeft(): number {
    const elapsed = (Date.now() - this.#windowStart) / 1000
    if (elapsed < this.#quotas.window) return Math.ceil(this.#quotas.window - elapsed)
    this.#windowStart = Date.now()
    this.#used = { api: 0, resolvers: 0 }
    return this.#quotas.window
  }
}
