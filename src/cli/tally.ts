import type { FileInfo, Progress } from '../index.js'

/** Adds up downloads that come one after the other and share files. */
export class Tally {
  readonly #all = new Map<string, number>()
  readonly #done = new Map<string, number>()

  /** Counts files in; those that are known already once. */
  expect(files: readonly FileInfo[]): void {
    for (const { path, size } of files) this.#all.set(path, size)
  }

  /** These files are complete. */
  finish(files: readonly FileInfo[]): void {
    this.expect(files)
    for (const { path, size } of files) this.#done.set(path, size)
  }

  /** Bytes of everything, while `files` are brought and this far. */
  whole(files: readonly FileInfo[], progress: Progress): { loaded: number; total: number } {
    const counted = files.reduce((sum, { path }) => sum + (this.#done.get(path) ?? 0), 0)
    // A file whose size nobody knew when it was asked for is counted in by its progress.
    const unknown = files.length === 0 ? progress.total : 0
    return {
      loaded: sum(this.#done) + progress.loaded - counted,
      total: sum(this.#all) + unknown,
    }
  }
}

function sum(sizes: Map<string, number>): number {
  return [...sizes.values()].reduce((total, size) => total + size, 0)
}
