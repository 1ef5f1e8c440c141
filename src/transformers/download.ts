import type { CachedFile, ModelCache } from '@tabagent/model-cache'
import type { Resource } from './resource.js'

/** What transformers.js is told of a download; `file` stands for the file it had in mind. */
export type OnProgress = (progress: { file: string; progress: number; loaded: number; total: number }) => void

/** Opens a file, which is downloaded first where it is not stored. */
export type Download = (resource: Resource, onProgress?: OnProgress) => Promise<CachedFile>

export function downloadsOf(cache: ModelCache, signal: AbortSignal | undefined): Download {
  return ({ repo, path, revision }, onProgress) =>
    cache.fetchFile(repo, path, {
      revision,
      ...(signal && { signal }),
      ...(onProgress && {
        onProgress: ({ loaded, total }) =>
          onProgress({ file: path, progress: total > 0 ? (loaded / total) * 100 : 100, loaded, total }),
      }),
    })
}
