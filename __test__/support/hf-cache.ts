import { createHash } from 'node:crypto'
import { mkdir, open, readFile, rename, symlink, writeFile } from 'node:fs/promises'
import { dirname, join, relative } from 'node:path'
import { writeContent } from './content.js'
import type { Files } from './repository.js'

/** Some commit. */
export const COMMIT = 'ab'.repeat(20)

/** Path of the weights among `FILES`, and their size. */
export const Q8 = 'onnx/model_quantized.onnx'
export const SIZE = 5 * 2 ** 20 + 77

/** One quant of the repository of `onnxFiles`, without its tokenizer_config.json. */
export const FILES = {
  'config.json': '{"model_type":"bert"}\n',
  'tokenizer.json': '{"version":"1.0"}\n',
  [Q8]: { size: SIZE, seed: Q8 },
}

/** A snapshot in a cache folder of huggingface_hub. */
export interface WrittenSnapshot {
  /** Folder of the repository. */
  folder: string
  /** Where the snapshot's files are. */
  snapshot: string
  /** Names of the blobs by path. */
  digests: Record<string, string>
}

interface Options {
  /** Branches and tags that stand for the commit. */
  revisions?: string[]
  /** Whether the snapshot has links to blobs; on Windows it has the files themselves. */
  links?: boolean
  /** Whether the Hub's listing of the commit is kept beside it, as huggingface_hub does since 1.22. */
  tree?: boolean
}

/** Writes a commit into a cache folder, laid out as huggingface_hub does it. */
export async function writeHfCache(
  root: string,
  repo: string,
  commit: string,
  files: Files,
  { revisions = ['main'], links = true, tree = false }: Options = {},
): Promise<WrittenSnapshot> {
  const folder = join(root, `models--${repo.replace('/', '--')}`)
  const [blobs, snapshot] = [join(folder, 'blobs'), join(folder, 'snapshots', commit)]
  await mkdir(blobs, { recursive: true })
  const digests: Record<string, string> = {}
  for (const [path, content] of Object.entries(files)) {
    const fresh = join(blobs, 'fresh')
    await writeContent(fresh, content)
    const digest = digestOf(path, await readFile(fresh))
    const at = join(snapshot, path)
    await mkdir(dirname(at), { recursive: true })
    await rename(fresh, links ? join(blobs, digest) : at)
    if (links) await symlink(relative(dirname(at), join(blobs, digest)), at)
    digests[path] = digest
  }
  if (tree) await writeTree(join(folder, 'trees'), commit, digests)
  for (const revision of revisions) {
    await mkdir(dirname(join(folder, 'refs', revision)), { recursive: true })
    await writeFile(join(folder, 'refs', revision), commit)
  }
  return { folder, snapshot, digests }
}

async function writeTree(folder: string, commit: string, digests: Record<string, string>): Promise<void> {
  const files = Object.entries(digests).map(([path, digest]) => [
    path,
    digest.length === 64 ? { blob_id: '0'.repeat(40), lfs_sha256: digest } : { blob_id: digest },
  ])
  await mkdir(folder, { recursive: true })
  await writeFile(
    join(folder, `${commit}.json`),
    JSON.stringify({ format_version: 1, files: Object.fromEntries(files) }),
  )
}

/** Weights are named by the sha256 of their bytes, other files by their git object id. */
function digestOf(path: string, bytes: Buffer): string {
  if (/\.(onnx|gguf|safetensors|bin)$/.test(path)) return createHash('sha256').update(bytes).digest('hex')
  return createHash('sha1').update(`blob ${bytes.length}\0`).update(bytes).digest('hex')
}

/** Changes one byte of a file, whatever its name says. */
export async function damage(path: string): Promise<void> {
  const file = await open(path, 'r+')
  await file.write(Buffer.from([0xff]), 0, 1, 10)
  await file.close()
}
