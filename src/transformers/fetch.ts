import type { CachedFile, ModelCache } from '@tabagent/model-cache'
import { type ErrorCode, isModelCacheError } from '../errors.js'
import type { Download } from './download.js'
import { isModel, locate, modelOf, type Resource } from './resource.js'

/** What transformers.js calls for what it does not find in its cache. */
export type Fetch = (input: string | URL, init?: RequestInit) => Promise<Response>

/** Codes of what is not there: transformers.js goes on without an optional file. */
const ABSENT: readonly ErrorCode[] = ['ERR_REPO_NOT_FOUND', 'ERR_REVISION_NOT_FOUND', 'ERR_FILE_NOT_FOUND']

/** A `fetch` that answers from the cache for URLs of its endpoint, after a download where that is needed. */
export function fetchFrom(cache: ModelCache, download: Download, otherwise: Fetch): Fetch {
  return async (input, init) => {
    const resource = locate(cache, String(input))
    if (!resource) return otherwise(input, init)
    try {
      const isProbe = new Headers(init?.headers).get('range') === 'bytes=0-0'
      return await (isProbe ? probe(cache, download, resource) : respond(cache, download, resource))
    } catch (error) {
      if (!isModelCacheError(error) || !ABSENT.includes(error.code)) throw error
      return new Response(null, { status: 404 })
    }
  }
}

/**
 * A model is announced, and its bytes only sent to who reads them: transformers.js hands the answer on to the cache, which downloads
 * with progress.
 */
async function respond(cache: ModelCache, download: Download, resource: Resource): Promise<Response> {
  const size = isModel(resource) || modelOf(resource) ? await listedSize(cache, resource) : undefined
  if (size === undefined) return (await download(resource)).response()
  const body = streamLater(() => download(resource))
  return new Response(body, { headers: { 'content-length': String(size) } })
}

/** The size of a file, as an answer to a request of its first byte. */
async function probe(cache: ModelCache, download: Download, resource: Resource): Promise<Response> {
  const size = (await listedSize(cache, resource)) ?? (await download(resource)).size
  const headers = { 'content-range': `bytes 0-0/${size}` }
  return new Response(new Uint8Array(1), { status: 206, headers })
}

/** Of a file that a quant needs; others may be there as well. */
async function listedSize(
  cache: ModelCache,
  { repo, path, revision }: Resource,
): Promise<number | undefined> {
  const { quants, sharedFiles } =
    cache.getManifest(repo, { revision }) ?? (await cache.scanRepo(repo, { revision }))
  const files = [...Object.values(quants).flatMap((quant) => quant.files), ...sharedFiles]
  return files.find((file) => file.path === path)?.size
}

function streamLater(open: () => Promise<CachedFile>): ReadableStream<Uint8Array> {
  let reader: ReadableStreamDefaultReader<Uint8Array> | undefined
  return new ReadableStream(
    {
      async pull(controller) {
        reader ??= (await open()).stream().getReader()
        const { done, value } = await reader.read()
        if (done) controller.close()
        else controller.enqueue(value)
      },
      async cancel(reason) {
        await reader?.cancel(reason)
      },
    },
    { highWaterMark: 0 },
  )
}
