import { createHash } from 'node:crypto'
import { readFile, rm } from 'node:fs/promises'
import {
  type CachedFile,
  type ErrorCode,
  isModelCacheError,
  ModelCache,
  type OpenOptions,
} from '@tabagent/model-cache'
import { emitEvent, serveCommands } from '../support/child-commands.js'
import { numbers, type Random } from '../support/random.js'

interface Run {
  options: OpenOptions
  seed: number
  steps: number
  repos: string[]
  /** SHA-256 of every file, by repository and path. */
  digests: Record<string, string>
  /** Whether it also leaves downloads that have just begun. */
  aborts?: boolean
  /** Whether it also imports, exports, checks, repairs and prunes. */
  upkeep?: Upkeep
  /** What it may be told beside what other processes make of a step. */
  expected?: ErrorCode[]
}

interface Upkeep {
  /** A cache folder of huggingface_hub. */
  hfCache: string
  /** A folder of this process alone, for what it exports. */
  exports: string
}

/** What another process may make of a step: it has removed the repository, or is downloading it right now. Not all have all quants. */
const EXPECTED: readonly ErrorCode[] = [
  'ERR_REPO_NOT_FOUND',
  'ERR_FILE_NOT_FOUND',
  'ERR_QUANT_NOT_FOUND',
  'ERR_IN_USE',
]

const QUANTS = ['fp32', 'fp16', 'q8', 'tiny']
const PATHS = [
  'config.json',
  'tokenizer.json',
  'onnx/model.onnx',
  'onnx/model_fp16.onnx',
  'onnx/model_quantized.onnx',
  'tiny.gguf',
]

/** One process's random walk. Views it keeps open are checked again at the end, whatever happened to their files. */
class Walk {
  readonly #cache: ModelCache
  readonly #run: Run
  readonly #next: Random
  readonly #kept: CachedFile[] = []
  reads = 0

  constructor(cache: ModelCache, run: Run) {
    this.#cache = cache
    this.#run = run
    this.#next = numbers(run.seed)
  }

  async step(): Promise<void> {
    const repo = this.#pick(this.#run.repos)
    const steps: (() => unknown)[] = [
      () => this.#cache.scanRepo(repo, { headers: this.#next(2) === 1 }),
      () => this.#cache.downloadQuant(repo, this.#pick(QUANTS)),
      () => this.#cache.downloadQuant(repo, this.#pick(QUANTS)),
      () => this.#cache.downloadFile(repo, this.#pick(PATHS)),
      () => this.#read(repo),
      () => this.#read(repo),
      () => this.#cache.removeQuant(repo, this.#pick(QUANTS)),
      () => this.#cache.removeFile(repo, this.#pick(PATHS)),
      () => this.#cache.removeRepo(repo),
    ]
    if (this.#run.aborts)
      steps.push(
        () => this.#abort(repo),
        () => this.#abort(repo),
      )
    if (this.#run.upkeep) steps.push(...this.#upkeep(repo, this.#run.upkeep))
    await this.#pick(steps)()
  }

  #upkeep(repo: string, { hfCache, exports }: Upkeep): (() => unknown)[] {
    const cache = this.#cache
    return [
      () => cache.importHfCache(hfCache),
      () => cache.importHfCache(hfCache),
      () => this.#export(repo, exports),
      () => this.#export(repo, exports),
      () => cache.verify(),
      () => cache.verify({ repair: true }),
      () => cache.prune(),
      () => cache.prune({ partialAge: 0, maxSize: (1 + this.#next(3)) * 1_000_000 }),
      () => cache.stats(),
    ]
  }

  async #export(repo: string, folder: string): Promise<void> {
    try {
      const { files } = await this.#cache.exportQuant(repo, this.#pick(QUANTS), folder, { overwrite: true })
      for (const { path, destination } of files) this.#compare(`${repo}/${path}`, await readFile(destination))
    } finally {
      await rm(folder, { recursive: true, force: true })
    }
  }

  async #abort(repo: string): Promise<void> {
    const controller = new AbortController()
    const reason = new Error('a change of mind')
    const download = this.#cache.downloadQuant(repo, this.#pick(QUANTS), { signal: controller.signal })
    const end = download.then(
      () => undefined,
      (error: unknown) => error,
    )
    for (let turn = this.#next(20); turn > 0; turn -= 1) await new Promise((resolve) => setImmediate(resolve))
    controller.abort(reason)
    const error = await end
    if (error !== undefined && error !== reason) throw error
  }

  #read(repo: string): void {
    for (const path of PATHS) {
      const file = this.#cache.getFile(repo, path)
      if (!file) continue
      this.#check(file)
      if (this.#next(4) === 0) this.#kept.push(file)
      else file.close()
    }
  }

  finish(): void {
    for (const file of this.#kept) {
      this.#check(file)
      file.close()
    }
  }

  #check(file: CachedFile): void {
    this.#compare(`${file.repo}/${file.path}`, file.buffer)
  }

  #compare(name: string, bytes: Uint8Array): void {
    const digest = createHash('sha256').update(bytes).digest('hex')
    if (digest !== this.#run.digests[name]) throw new Error(`${name} has wrong bytes`)
    this.reads += 1
  }

  #pick<T>(choices: readonly T[]): T {
    return choices[this.#next(choices.length)] as T
  }
}

/** Between two steps, where the walk can be held. */
class Gate {
  #opened: Promise<void> = Promise.resolve()
  #open = (): void => undefined
  #reach = (): void => undefined

  /** Resolves when the walk has come to it. */
  close(): Promise<void> {
    this.#opened = new Promise((resolve) => {
      this.#open = resolve
    })
    return new Promise((resolve) => {
      this.#reach = resolve
    })
  }

  open(): void {
    this.#open()
  }

  async pass(): Promise<void> {
    this.#reach()
    await this.#opened
  }
}

const gate = new Gate()

serveCommands({
  hold: () => gate.close(),
  go: () => gate.open(),
  async run(run: Run) {
    const cache = await ModelCache.open(run.options)
    const walk = new Walk(cache, run)
    const expected = [...EXPECTED, ...(run.expected ?? [])]
    for (let step = 0; step < run.steps; step += 1) {
      await walk.step().catch((error: unknown) => {
        if (!expected.some((code) => isModelCacheError(error, code))) throw error
      })
      emitEvent('step', step)
      await gate.pass()
    }
    walk.finish()
    await cache.close()
    return walk.reads
  },
})
