import { createHash } from 'node:crypto'
import { type CachedFile, isModelCacheError, ModelCache, type OpenOptions } from '@tabagent/model-cache'
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
}

/** What another process may make of a step: it has removed the repository, or is downloading it right now. */
const EXPECTED = ['ERR_REPO_NOT_FOUND', 'ERR_FILE_NOT_FOUND', 'ERR_IN_USE'] as const

const QUANTS = ['fp32', 'fp16', 'q8']
const PATHS = [
  'config.json',
  'tokenizer.json',
  'onnx/model.onnx',
  'onnx/model_fp16.onnx',
  'onnx/model_quantized.onnx',
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
      () => this.#cache.scanRepo(repo),
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
    await this.#pick(steps)()
  }

  async #abort(repo: string): Promise<void> {
    const controller = new AbortController()
    const reason = new Error('a change of mind')
    const download = this.#cache.downloadQuant(repo, this.#pick(QUANTS), { signal: controller.signal })
    for (let turn = this.#next(20); turn > 0; turn -= 1) await new Promise((resolve) => setImmediate(resolve))
    controller.abort(reason)
    await download.catch((error: unknown) => {
      if (error !== reason) throw error
    })
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
    const name = `${file.repo}/${file.path}`
    const digest = createHash('sha256').update(file.buffer).digest('hex')
    if (digest !== this.#run.digests[name]) throw new Error(`${name} has wrong bytes`)
    this.reads += 1
  }

  #pick<T>(choices: readonly T[]): T {
    return choices[this.#next(choices.length)] as T
  }
}

function ignoreExpected(error: unknown): void {
  if (!EXPECTED.some((code) => isModelCacheError(error, code))) throw error
}

serveCommands({
  async run(run: Run) {
    const cache = await ModelCache.open(run.options)
    const walk = new Walk(cache, run)
    for (let step = 0; step < run.steps; step += 1) {
      await walk.step().catch(ignoreExpected)
      emitEvent('step', step)
    }
    walk.finish()
    await cache.close()
    return walk.reads
  },
})
