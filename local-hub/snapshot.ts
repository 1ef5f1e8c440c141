import { createHash } from 'node:crypto'
import type { Stats } from 'node:fs'
import { readdir, stat } from 'node:fs/promises'
import { join, sep } from 'node:path'
import { type DigestCache, gitSha1 } from './digest.js'
import type { Settings } from './settings.js'

/** One file of one commit. */
export interface HubFile {
  /** Path inside the repository, with forward slashes. */
  readonly path: string
  /** Where its bytes lie on disk. */
  readonly location: string
  readonly size: number
  /** Git object id: of the content, or of the pointer text when the file is in LFS. */
  readonly blobId: string
  readonly lfs?: { readonly sha256: string; readonly pointerSize: number }
}

/** What a commit holds. The commit id is made from paths and digests, so equal folders have equal commits. */
export interface Snapshot {
  readonly commit: string
  readonly files: ReadonlyMap<string, HubFile>
}

const LFS_SIZE = 10_000_000
const WEIGHT_NAME =
  /\.(onnx|onnx_data(_\d+)?|onnx\.data|data|gguf|safetensors|bin|pt|pth|ckpt|h5|msgpack|ot|npz|npy|pb|tflite|model|imatrix|zip)$/i

/** Reads the folder of a repository as one commit. */
export async function readSnapshot(
  folder: string,
  settings: Settings,
  digests: DigestCache,
): Promise<Snapshot> {
  const files: HubFile[] = []
  // One after the other: a repository may have more files than a process may open.
  for (const path of await readdir(folder, { recursive: true })) {
    const location = join(folder, path)
    const stats = await stat(location)
    if (stats.isFile()) files.push(await readFile(path, location, stats, settings, digests))
  }
  files.sort((a, b) => (a.path < b.path ? -1 : 1))
  return { commit: commitOf(files), files: new Map(files.map((file) => [file.path, file])) }
}

async function readFile(
  name: string,
  location: string,
  stats: Stats,
  settings: Settings,
  digests: DigestCache,
): Promise<HubFile> {
  const path = name.split(sep).join('/')
  const { size } = stats
  if (!inLfs(path, size, settings)) {
    return { path, location, size, blobId: await digests.digest(location, stats, 'git-sha1') }
  }
  const sha256 = await digests.digest(location, stats, 'sha256')
  const pointer = `version https://git-lfs.github.com/spec/v1\noid sha256:${sha256}\nsize ${size}\n`
  return { path, location, size, blobId: gitSha1(pointer), lfs: { sha256, pointerSize: pointer.length } }
}

function inLfs(path: string, size: number, settings: Settings): boolean {
  if (settings.git?.includes(path)) return false
  return settings.lfs?.includes(path) || size > LFS_SIZE || WEIGHT_NAME.test(path)
}

function commitOf(files: readonly HubFile[]): string {
  const hash = createHash('sha1')
  for (const file of files) hash.update(`${file.path}\0${file.blobId}\n`)
  return hash.digest('hex')
}
