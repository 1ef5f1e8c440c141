/**
 * Ctrl-Z while something moves on the terminal: `leave` tidies that up before the process stops, and `resume` brings it back
 * when it goes on.
 */
export class Suspension {
  readonly #leave: () => void
  readonly #resume: () => void

  constructor({ leave, resume }: { leave: () => void; resume: () => void }) {
    this.#leave = leave
    this.#resume = resume
  }

  listen(): void {
    process.off('SIGTSTP', this.#onStop)
    process.on('SIGTSTP', this.#onStop)
  }

  end(): void {
    process.off('SIGTSTP', this.#onStop)
    process.off('SIGCONT', this.#onContinue)
  }

  /** Without a listener the signal does what it always does: nothing where no shell could make the process go on. */
  readonly #onStop = (): void => {
    this.#leave()
    process.off('SIGTSTP', this.#onStop)
    process.on('SIGCONT', this.#onContinue)
    process.kill(process.pid, 'SIGTSTP')
  }

  readonly #onContinue = (): void => {
    process.off('SIGCONT', this.#onContinue)
    this.listen()
    this.#resume()
  }
}
