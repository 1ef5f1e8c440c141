import { createHash } from 'node:crypto'
import type { FileInfo, ModelCache } from '@tabagent/model-cache'
import type { ExecutionContext } from 'ava'
import type { LocalHub } from '../../local-hub/index.js'
import { type Content, randomBytes } from '../support/content.js'
import { startHub } from '../support/hub.js'
import { ggufFile } from '../support/model-file.js'
import type { Files } from '../support/repository.js'
import { openStore } from '../support/store.js'
import { quantOf } from './half-way.js'

export const REPOS = ['acme/one', 'acme/two', 'acme/three']

/** A store, and a hub that answers any number of requests for three small repositories. */
export async function openThree(
  t: ExecutionContext,
): Promise<{ cache: ModelCache; hub: LocalHub; path: string }> {
  const { hub } = await startHub(t, Object.fromEntries(REPOS.map((repo) => [repo, filesOf(repo)])), {
    quotas: { api: Infinity, resolvers: Infinity, window: 300 },
  })
  const { cache, path } = await openStore(t, {}, { endpoint: hub.url })
  return { cache, hub, path }
}

const TINY = ggufFile('llama', 10, 200, 15)

/** Small enough to be many: some in records, some in chunks, some in all repositories. */
export function filesOf(repo: string): Files {
  return {
    'config.json': `{"name":"${repo}"}`,
    'tokenizer.json': '{"shared":true}',
    'onnx/model.onnx': { size: 900_000, seed: `${repo} fp32` },
    'onnx/model_fp16.onnx': { size: 70_000, seed: 'the same everywhere' },
    'onnx/model_quantized.onnx': { size: 40_000, seed: `${repo} q8` },
    // By its header `Q4_K_M`, by its name `tiny`.
    'tiny.gguf': TINY,
  }
}

function bytesOf(content: Content): Buffer {
  if (typeof content === 'string' || Buffer.isBuffer(content)) return Buffer.from(content)
  return randomBytes(content.size, content.seed)
}

/** SHA-256 of every file, by repository and path. */
export function digests(): Record<string, string> {
  const pairs = REPOS.flatMap((repo) =>
    Object.entries(filesOf(repo)).map(([path, content]) => {
      const bytes = bytesOf(content)
      return [`${repo}/${path}`, createHash('sha256').update(bytes).digest('hex')] as const
    }),
  )
  return Object.fromEntries(pairs)
}

const sizeOf = (files: FileInfo[]) => files.reduce((sum, { size }) => sum + size, 0)

/** Every status, count and byte of the store agrees with the others. */
export function expectConsistent(t: ExecutionContext, cache: ModelCache): void {
  const expected = digests()
  const stats = cache.stats()
  const manifests = cache.listManifests()
  const stored = manifests.flatMap(({ repo }) => cache.listFiles(repo).map((file) => ({ repo, ...file })))
  for (const { repo, path } of stored) {
    const bytes = cache.getFile(repo, path, { verify: true })?.buffer ?? ''
    t.is(
      createHash('sha256').update(bytes).digest('hex'),
      expected[`${repo}/${path}`] ?? '',
      `${repo}/${path}`,
    )
  }
  const contents = new Map(stored.map(({ repo, path, size }) => [expected[`${repo}/${path}`] ?? '', size]))
  // Bytes that another repository has brought count as downloaded where the listing tells their name.
  const isHere = (file: FileInfo) => file.stored || contents.has(file.digest.value)
  for (const { repo, quants } of manifests) {
    for (const { name, status, files, size, downloaded } of Object.values(quants)) {
      const complete = files.every((file) => file.stored)
      t.is(status, complete ? 'downloaded' : 'available', `${repo} ${name}`)
      t.is(downloaded, sizeOf(files.filter(isHere)), `${repo} ${name}`)
      t.is(size, sizeOf(files))
      for (const file of files) t.is(file.stored, cache.hasFile(repo, file.path), `${repo}/${file.path}`)
    }
  }
  const complete = manifests
    .flatMap(({ quants }) => Object.values(quants))
    .filter(({ status }) => status === 'downloaded')
  t.like(stats, {
    repos: manifests.length,
    quants: complete.length,
    files: stored.length,
    blobs: contents.size,
    bytes: [...contents.values()].reduce((sum, size) => sum + size, 0),
    partialBytes: 0,
  })
}

/** Downloads all there is, whatever state others left it in. */
export async function downloadAll(t: ExecutionContext, cache: ModelCache): Promise<void> {
  for (const repo of REPOS) {
    const { quants } = await cache.scanRepo(repo)
    for (const name of Object.keys(quants)) {
      t.is(quantOf(await cache.downloadQuant(repo, name), name).status, 'downloaded', `${repo} ${name}`)
    }
  }
}

/** Removes all there is, and expects that nothing is left of it. */
export async function removeAll(t: ExecutionContext, cache: ModelCache): Promise<void> {
  for (const { repo } of cache.listManifests()) await cache.removeRepo(repo)
  t.like(cache.stats(), { repos: 0, quants: 0, files: 0, blobs: 0, bytes: 0, partialBytes: 0 })
}
