/** Exit statuses of a process that ended because of a signal: 128 and its number. */
const STATUSES = { SIGINT: 130, SIGTERM: 143 } as const

type Signal = keyof typeof STATUSES

/** A person or the system asked the command to end. */
export class Interrupted extends Error {
  readonly status: number

  constructor(signal: Signal) {
    super('Stopped.')
    this.status = STATUSES[signal]
  }
}

/** Listens for Ctrl-C and SIGTERM: the first aborts `signal`, the second ends the process at once. */
export class Interrupt {
  readonly #controller = new AbortController()
  readonly #listeners = Object.keys(STATUSES).map(
    (name) => [name as Signal, () => this.trigger(name as Signal)] as const,
  )

  readonly signal: AbortSignal = this.#controller.signal

  listen(): void {
    for (const [name, listener] of this.#listeners) process.on(name, listener)
  }

  stop(): void {
    for (const [name, listener] of this.#listeners) process.off(name, listener)
  }

  trigger(name: Signal): void {
    if (this.signal.aborted) process.exit(STATUSES[name])
    this.#controller.abort(new Interrupted(name))
  }

  /** Fails as soon as the command is asked to end; never succeeds. */
  readonly happened = new Promise<never>((_, reject) => {
    this.signal.addEventListener('abort', () => reject(this.signal.reason), { once: true })
  })
}
