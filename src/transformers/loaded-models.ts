import type { ModelCache, OnnxModel } from '@tabagent/model-cache'
import { isModelCacheError } from '../errors.js'
import type { Resource } from './resource.js'

/** The models whose paths were handed out. A session reads its weights with no reference that anybody could see. */
export class LoadedModels {
  readonly #cache: ModelCache
  readonly #current = new Map<string, Promise<OnnxModel>>()
  readonly #all = new Set<Promise<OnnxModel>>()
  #canHavePaths = process.platform !== 'win32'

  constructor(cache: ModelCache) {
    this.#cache = cache
  }

  /** Whether models have paths here: not on Windows, nor where the store cannot be written. */
  get canHavePaths(): boolean {
    return this.#canHavePaths
  }

  /** The path for an engine, or `undefined` where there can be none. Fails with `ERR_FILE_NOT_FOUND` until all is stored. */
  async path(resource: Resource, commit: string): Promise<string | undefined> {
    try {
      return this.#canHavePaths ? (await this.#open(resource, commit)).modelPath : undefined
    } catch (error) {
      if (
        !isModelCacheError(error, 'ERR_READ_ONLY') &&
        !isModelCacheError(error, 'ERR_UNSUPPORTED_FILESYSTEM')
      )
        throw error
      this.#canHavePaths = false
      return undefined
    }
  }

  /** Makes a new path for the next load. Sessions go on reading from the old one. */
  forget({ repo, path }: Resource, commit: string): void {
    this.#current.delete(keyOf(repo, commit, path))
  }

  close(): void {
    for (const model of this.#all) {
      model.then(
        (opened) => opened.close(),
        () => {},
      )
    }
    this.#all.clear()
    this.#current.clear()
  }

  #open({ repo, path }: Resource, commit: string): Promise<OnnxModel> {
    const key = keyOf(repo, commit, path)
    const known = this.#current.get(key)
    if (known) return known
    const model = this.#cache.onnxModel(repo, path, { revision: commit })
    this.#current.set(key, model)
    this.#all.add(model)
    model.catch(() => {
      this.#current.delete(key)
      this.#all.delete(model)
    })
    return model
  }
}

function keyOf(...parts: string[]): string {
  return JSON.stringify(parts)
}
