import { posix } from 'node:path'
import type { CachedFile, ModelCache, OnnxModelOptions } from '@tabagent/model-cache'
import type { InferenceSession } from 'onnxruntime-node'
import { type Check, checkCache, checkOptions, checkSignal, type Schema } from './argument.js'
import { invalidArgument, isModelCacheError, ModelCacheError } from './errors.js'
import { revisionSchema } from './options.js'
import { reasonOf } from './signal.js'

/** Options of {@link createSession}. */
export interface CreateSessionOptions extends OnnxModelOptions {
  /** Options of ONNX Runtime, handed on as they are. */
  sessionOptions?: InferenceSession.SessionOptions
}

const checkObject: Check = (value, name) => {
  if (typeof value !== 'object' || value === null) throw invalidArgument(`${name} must be an object`)
}

const schema: Schema<CreateSessionOptions> = {
  ...revisionSchema,
  signal: checkSignal,
  sessionOptions: checkObject,
}

/**
 * A session of onnxruntime-node (a package of yours; onnxruntime-web has no paths and is not supported) over a stored model, whose
 * weights it maps from the store. What it reads stays in place until `session.release()`, or until the session is collected.
 *
 * Where there can be no path, in a cache opened with `readOnly` and on Windows, it gets the bytes of the model and of the external
 * data of its quant instead: the same results, but ONNX Runtime copies them.
 *
 * Fails as `cache.onnxModel` does, with `ERR_IO` where onnxruntime-node cannot be loaded, and with whatever ONNX Runtime throws.
 *
 * @example
 * ```ts
 * const session = await createSession(cache, 'onnx-community/all-MiniLM-L6-v2-ONNX', 'onnx/model.onnx')
 * const { last_hidden_state } = await session.run(feeds)
 * await session.release()
 * ```
 */
export async function createSession(
  cache: ModelCache,
  repo: string,
  path: string,
  options?: CreateSessionOptions,
): Promise<InferenceSession> {
  checkCache(cache)
  const { sessionOptions = {}, ...find } = checkOptions(options, schema)
  const runtime = await loadRuntime()
  const source = (await pathOf(cache, repo, path, find)) ?? bytesOf(cache, repo, path, find.revision)
  try {
    if (find.signal?.aborted) throw reasonOf(find.signal)
    return keep(await source.create(runtime, sessionOptions), source)
  } catch (error) {
    source.close()
    throw error
  }
}

/** What a session reads for as long as it lives. */
interface Source {
  create(runtime: Runtime, options: InferenceSession.SessionOptions): Promise<InferenceSession>
  close(): void
}

type Runtime = Pick<typeof import('onnxruntime-node'), 'InferenceSession'>

async function loadRuntime(): Promise<Runtime> {
  try {
    const loaded = (await import('onnxruntime-node')) as Runtime & { default?: Runtime }
    return loaded.default ?? loaded
  } catch (cause) {
    const message = 'onnxruntime-node cannot be loaded: install it beside @tabagent/model-cache'
    throw new ModelCacheError('ERR_IO', message, {}, { cause })
  }
}

/** `undefined` where there can be no path. */
async function pathOf(
  cache: ModelCache,
  repo: string,
  path: string,
  options: OnnxModelOptions,
): Promise<Source | undefined> {
  try {
    const model = await cache.onnxModel(repo, path, options)
    return {
      create: ({ InferenceSession }, given) => InferenceSession.create(model.modelPath, given),
      close: () => model.close(),
    }
  } catch (error) {
    if (isModelCacheError(error, 'ERR_READ_ONLY') || isModelCacheError(error, 'ERR_UNSUPPORTED_FILESYSTEM'))
      return undefined
    throw error
  }
}

function bytesOf(cache: ModelCache, repo: string, path: string, revision: string | undefined): Source {
  const model = openFile(cache, repo, path, revision)
  // All of one commit, whatever becomes of the branch meanwhile.
  const data = externalData(cache, repo, path, model.commit)
  const files = [model, ...data.map(({ file }) => file)]
  return {
    create({ InferenceSession }, given) {
      const externalData = data.map(({ name, file }) => ({ path: name, data: file.buffer }))
      return InferenceSession.create(model.buffer, {
        ...(externalData.length > 0 && { externalData }),
        ...given,
      })
    },
    close() {
      for (const file of files) file.close()
    },
  }
}

/** The stored external data of the quant that has the model, under the names that the model calls them by. */
function externalData(cache: ModelCache, repo: string, path: string, commit: string) {
  const quants = Object.values(cache.getManifest(repo, { revision: commit })?.quants ?? {})
  const files = quants.find((quant) => quant.files.some((file) => file.path === path))?.files ?? []
  return files
    .filter((file) => file.role === 'external-data')
    .map((file) => ({
      name: posix.relative(posix.dirname(path), file.path),
      file: openFile(cache, repo, file.path, commit),
    }))
}

function openFile(cache: ModelCache, repo: string, path: string, revision: string | undefined): CachedFile {
  const file = cache.getFile(repo, path, revision === undefined ? {} : { revision })
  if (file) return file
  throw new ModelCacheError('ERR_FILE_NOT_FOUND', `${repo} ${path} is not stored: download it first`, {
    repo,
    path,
  })
}

const collected = new FinalizationRegistry<Source>((source) => source.close())

/**
 * Lets the session keep its source. A run under way holds only what the session calls its handler, so it is that one's collection
 * that counts.
 */
function keep(session: InferenceSession, source: Source): InferenceSession {
  const handler = Reflect.get(session, 'handler') ?? session
  collected.register(handler, source, source)
  const release = session.release.bind(session)
  session.release = async () => {
    await release()
    collected.unregister(source)
    source.close()
  }
  return session
}
