import { readdir, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { ModelCache } from '@tabagent/model-cache'
import type { ExecutionContext } from 'ava'
import type ort from 'onnxruntime-node'
import { randomBytes } from '../support/content.js'
import { makeFolder } from '../support/folder.js'
import { startHub } from '../support/hub.js'
import type { Files } from '../support/repository.js'
import { REPO } from '../support/store.js'
import { runModel } from './onnx-session.js'

/** The model of a test. */
export const PATH = 'onnx/model.onnx'

/** Elements of its weights. */
export const ROWS = 50_000

/** Any weights that are numbers: small ones, so that no sum of them is infinite. */
export function weights(seed: string, rows = ROWS): Buffer {
  const bytes = randomBytes(rows * 4, seed)
  for (let at = 3; at < bytes.length; at += 4) bytes[at] = 0x3f
  return bytes
}

/** A store with these files, and the folder in which they lie plain. */
export async function storeModel(t: ExecutionContext, files: Files, folder?: string) {
  const { hub, root } = await startHub(t, { [REPO]: files })
  const path = join(folder ?? (await makeFolder(t)), 'store')
  const cache = await ModelCache.open({ path, endpoint: hub.url })
  t.teardown(() => cache.close())
  for (const file of Object.keys(files)) await cache.downloadFile(REPO, file)
  return { cache, hub, plain: (file: string) => join(root, REPO, file) }
}

/** Names of the stubs' files in a store. */
export async function stubs(cache: ModelCache): Promise<string[]> {
  const folders = ['model_cache_chunks', 'locks'].map((name) => readdir(join(cache.path, name)))
  return (await Promise.all(folders)).flat().filter((name) => name.startsWith('stub-'))
}

/** Expects that a stub gives the outputs of the plain file to the last bit. */
export async function expectSame(
  t: ExecutionContext,
  cache: ModelCache,
  plain: string,
  feeds: Record<string, ort.Tensor>,
): Promise<number> {
  using stub = await cache.onnxModel(REPO, PATH)
  const expected = await runModel(plain, feeds)
  t.deepEqual(await runModel(stub.modelPath, feeds), expected)
  t.true(Object.values(expected).every((bytes) => bytes.length > 0))
  return (await stat(stub.modelPath)).size
}
