import type { DownloadOptions, FileInfo, Manifest, ModelCache } from '../index.js'
import { findQuant } from './quant.js'

/** One thing to download: a quant or a file. */
export interface Item {
  label: string
  /** The quant it is, if it is one. */
  quant?: string
  /** Its files, where they are known beforehand. */
  files: FileInfo[]
  /** Downloads it, and says which files it is. */
  bring(options: DownloadOptions): Promise<FileInfo[]>
}

export function quantItem(cache: ModelCache, manifest: Manifest, name: string): Item {
  const { repo } = manifest
  const quant = findQuant(manifest, name)
  return {
    label: `${repo} ${quant?.name ?? name}`,
    quant: quant?.name ?? name,
    files: quant?.files ?? [],
    async bring(options) {
      // Headers may have told another name than the one it is asked by.
      let called = name
      const stored = await cache.downloadQuant(repo, name, {
        ...options,
        onProgress(progress) {
          called = progress.quant ?? called
          options.onProgress?.(progress)
        },
      })
      return findQuant(stored, called)?.files ?? []
    },
  }
}

export function fileItem(cache: ModelCache, manifest: Manifest, path: string): Item {
  const { repo, quants, sharedFiles } = manifest
  const files = [...sharedFiles, ...Object.values(quants).flatMap((quant) => quant.files)]
  return {
    label: `${repo} ${path}`,
    // A manifest does not tell of all files: those that no quant needs are missing.
    files: files.filter((file) => file.path === path).slice(0, 1),
    async bring(options) {
      return [await cache.downloadFile(repo, path, options)]
    },
  }
}
