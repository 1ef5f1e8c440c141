import { readdir } from 'node:fs/promises'
import type { Command } from 'commander'
import { isModelCacheError, ModelCache, type OpenOptions } from '../index.js'
import { commandLine, type GlobalOptions } from './command-line.js'
import { explain, type Failure, isResumable, tell } from './failure.js'
import { Interrupt } from './interrupt.js'
import { Output } from './output.js'
import { readRepo } from './repo.js'

/** One run of a command: its options, its output, the store, and the end of it all. */
export class Session<Options extends object = object> {
  readonly options: GlobalOptions & Options
  readonly output: Output
  /** Exit status of a command that does not fail. */
  status = 0
  /** How to go on with what an interrupted or failed command has kept, in lines. */
  resume: (() => string[]) | undefined
  /** What a command that fails has done all the same, in lines. */
  readonly done: string[] = []
  readonly #interrupt = new Interrupt()
  readonly #ends: (() => unknown)[] = []
  #cache: ModelCache | undefined

  constructor(options: GlobalOptions & Options) {
    this.options = options
    this.output = new Output(options)
  }

  /** Ends what the command does; the reason is an `Interrupted`. */
  get signal(): AbortSignal {
    return this.#interrupt.signal
  }

  /** Which revision is meant, as the calls of the library take it. */
  get revision(): { revision?: string } {
    return this.options.revision === undefined ? {} : { revision: this.options.revision }
  }

  /** As Ctrl-C where the terminal does not send the signal itself. */
  interrupt(): void {
    this.#interrupt.trigger('SIGINT')
  }

  /** What to type for another command under the same options. */
  commandLine(...words: string[]): string {
    return commandLine(this.options, ...words)
  }

  /** The store, made where there is none. It is closed when the command ends. */
  async open(): Promise<ModelCache> {
    await this.#noteForeign()
    return this.#use(await ModelCache.open(this.#openOptions))
  }

  /** The store for a command that only reads it: where it cannot be written, that is no hindrance. */
  async openToRead(): Promise<ModelCache> {
    try {
      return await this.open()
    } catch (error) {
      if (!isModelCacheError(error, 'ERR_READ_ONLY')) throw error
      const cache = await ModelCache.open({ ...this.#openOptions, readOnly: true }).catch(() => {
        throw error
      })
      this.output.note('The store cannot be written here: it is only read.', 'dim')
      return this.#use(cache)
    }
  }

  /** A folder that was meant for something else is easily named, and hard to clean. */
  async #noteForeign(): Promise<void> {
    const { cacheDir } = this.options
    const names = cacheDir === undefined ? [] : await readdir(cacheDir).catch(() => [])
    if (names.length === 0 || names.some((name) => name.startsWith('model_cache_'))) return
    this.output.note(`${cacheDir} has other files in it: a new store is made among them.`, 'yellow')
  }

  #use(cache: ModelCache): ModelCache {
    this.#cache = cache
    this.atEnd(() => cache.close())
    return cache
  }

  /** To be done when the command ends, however it ends; the last first. */
  atEnd(end: () => unknown): void {
    this.#ends.push(end)
  }

  /** Runs the command and returns its exit status. */
  async run(body: () => Promise<void>): Promise<number> {
    this.#interrupt.listen()
    try {
      const failure = await this.#attempt(body)
      if (failure) tell(this.output, failure)
      return failure?.status ?? this.status
    } finally {
      this.#interrupt.stop()
    }
  }

  async #attempt(body: () => Promise<void>): Promise<Failure | undefined> {
    try {
      await Promise.race([body(), this.#interrupt.happened])
      await this.#end()
      return undefined
    } catch (error) {
      const failure = explain(error, { options: this.options, cache: this.#cache })
      failure.hints.push(...this.done)
      if (isResumable(failure)) failure.hints.push(...(this.resume?.() ?? []))
      // What came is recorded by the time the failure is told. A second failure would only hide the first.
      await this.#end().catch(() => {})
      return failure
    }
  }

  async #end(): Promise<void> {
    for (let end = this.#ends.pop(); end; end = this.#ends.pop()) await end()
  }

  get #openOptions(): OpenOptions {
    const { cacheDir, endpoint, token, offline, limitRate } = this.options
    return {
      ...(cacheDir !== undefined && { path: cacheDir }),
      ...(endpoint !== undefined && { endpoint }),
      ...(token !== undefined && { token }),
      ...(offline !== undefined && { offline }),
      ...(limitRate !== undefined && { maxBytesPerSecond: limitRate }),
    }
  }
}

/** The action of a command: `body` gets the session and the operands. */
export function perform<Options extends object>(
  body: (session: Session<Options>, ...operands: string[]) => Promise<void>,
) {
  return async function (this: Command): Promise<void> {
    const { options, operands } = readOperands(this, this.optsWithGlobals<GlobalOptions & Options>())
    const session = new Session(options)
    process.exitCode = await session.run(() => body(session, ...operands))
  }
}

/** The operands by their own names; what an address of a repository says besides goes into the options. */
function readOperands<Options extends GlobalOptions & { quant?: string[] }>(
  command: Command,
  given: Options,
): { options: Options; operands: string[] } {
  const takesQuant = command.options.some((option) => option.attributeName() === 'quant')
  const options = { ...given }
  const operands = command.processedArgs.map((operand, index) => {
    if (typeof operand !== 'string' || command.registeredArguments[index]?.name() !== 'repo') return operand
    const { endpoint } = given
    const named = readRepo(operand, { quant: takesQuant, ...(endpoint !== undefined && { endpoint }) })
    if (named.revision !== undefined) options.revision ??= named.revision
    if (named.quant !== undefined) options.quant = [named.quant, ...(given.quant ?? [])]
    return named.repo
  })
  return { options, operands }
}
