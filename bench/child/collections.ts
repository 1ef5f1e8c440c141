import { PerformanceObserver } from 'node:perf_hooks'
import { setImmediate } from 'node:timers/promises'

/** The engine's garbage collections since this was made. */
export class Collections {
  readonly #observer = new PerformanceObserver(() => undefined)

  constructor() {
    this.#observer.observe({ entryTypes: ['gc'] })
  }

  /** Milliseconds that they took between two moments of `performance.now()`; ends the watching. */
  async between(start: number, end: number): Promise<number> {
    // Node makes the entries of a collection after the event that it fell into.
    await setImmediate()
    const entries = this.#observer.takeRecords()
    this.#observer.disconnect()
    const within = entries.filter(({ startTime }) => start <= startTime && startTime <= end)
    return within.reduce((sum, { duration }) => sum + duration, 0)
  }
}
