import type { CachedFile, ModelCache } from '@tabagent/model-cache'
import { isModelCacheError } from '../errors.js'
import type { Download, OnProgress } from './download.js'
import type { LoadedModels } from './loaded-models.js'
import { isModel, locate, modelOf, type Resource } from './resource.js'
import { StoredResponse } from './stored-response.js'

/**
 * Where transformers.js looks for files: each by a path of its own first, which nothing here is known by, and then by its URL.
 *
 * A model brings its external data along, and its path stands for all: what transformers.js gets for a file of external data is
 * a string, which it takes for a file that lies beside the model.
 */
export class CustomCache {
  readonly #cache: ModelCache
  readonly #models: LoadedModels
  readonly #download: Download
  readonly #brought = new Set<string>()

  constructor(cache: ModelCache, models: LoadedModels, download: Download) {
    this.#cache = cache
    this.#models = models
    this.#download = download
  }

  async match(key: string): Promise<StoredResponse | Response | string | undefined> {
    const resource = locate(this.#cache, key)
    if (!resource) return undefined
    if (this.#models.canHavePaths && this.#brought.has(key)) return resource.path
    const file = this.#open(resource)
    if (!file) return undefined
    if (isModel(resource)) return this.#matchModel(resource, file)
    if (!modelOf(resource)) return new StoredResponse(file)
    return (await this.#isBesideModel(resource)) ? resource.path : file.response()
  }

  /** Stores a file that `fetch` found. Its bytes were not sent yet. */
  async put(key: string, response: Response, onProgress?: OnProgress): Promise<void> {
    const resource = locate(this.#cache, key)
    if (!resource) return
    await response.body?.cancel()
    // A failure here would be one that transformers.js does not catch: that of the model's own download it does.
    if (this.#models.canHavePaths && modelOf(resource)) this.#brought.add(key)
    else await this.#store(resource, onProgress)
  }

  async delete(key: string): Promise<boolean> {
    const resource = locate(this.#cache, key)
    const file = resource && this.#open(resource)
    if (!file) return false
    file.close()
    this.#brought.delete(key)
    this.#models.forget(resource, file.commit)
    await this.#cache.removeFile(resource.repo, resource.path, { revision: resource.revision })
    return true
  }

  async #matchModel(resource: Resource, file: CachedFile): Promise<Response | string | undefined> {
    try {
      return (await this.#models.path(resource, file.commit)) ?? file.response()
    } catch (error) {
      if (isModelCacheError(error, 'ERR_FILE_NOT_FOUND')) return undefined
      throw error
    }
  }

  /** Whether a stored file is external data of a model that has a path. */
  async #isBesideModel(resource: Resource): Promise<boolean> {
    const model = modelOf(resource)
    if (!model) return false
    const file = this.#open(model)
    return file !== undefined && typeof (await this.#matchModel(model, file)) === 'string'
  }

  /** Downloads a file; for a model that has a path, all that it needs. */
  async #store(resource: Resource, onProgress: OnProgress | undefined): Promise<void> {
    const { commit } = await this.#download(resource, onProgress)
    if (!isModel(resource)) return
    const fetched = new Set([resource.path])
    for (;;) {
      try {
        await this.#models.path(resource, commit)
        return
      } catch (error) {
        const missing = isModelCacheError(error, 'ERR_FILE_NOT_FOUND') ? error.path : undefined
        if (missing === undefined || fetched.has(missing)) throw error
        fetched.add(missing)
        await this.#download({ ...resource, path: missing, revision: commit }, onProgress)
      }
    }
  }

  #open({ repo, path, revision }: Resource): CachedFile | undefined {
    return this.#cache.getFile(repo, path, { revision })
  }
}
