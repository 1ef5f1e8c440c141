import type { ModelCache } from '@tabagent/model-cache'

/** A file of a repository, as a URL of the endpoint names it. */
export interface Resource {
  repo: string
  revision: string
  path: string
}

/** How transformers.js makes those URLs, below its `remoteHost`. */
export const PATH_TEMPLATE = '{model}/resolve/{revision}/'

/**
 * What a URL names, or `undefined` if it is no file of a model at the cache's endpoint. For a branch it is that of the commit that was
 * scanned last: by the branch's own name the store may serve an older one that is complete, beside which no other file may come. Offline
 * that one is all there is.
 */
export function locate(cache: ModelCache, url: string): Resource | undefined {
  const resource = parseUrl(url, cache.endpoint)
  if (!resource || cache.offline) return resource
  const { repo, revision } = resource
  return { ...resource, revision: cache.getManifest(repo, { revision })?.commit ?? revision }
}

function parseUrl(url: string, endpoint: string): Resource | undefined {
  const host = hostOf(endpoint)
  if (!url.startsWith(host)) return undefined
  const found = /^((?:[^/]+\/)?[^/]+)\/resolve\/([^/]+)\/(.+)$/.exec(url.slice(host.length))
  const [, repo = '', revision = '', path = ''] = found ?? []
  if (!found || /^(datasets|spaces)\//.test(repo)) return undefined
  return { repo, revision: decodeURIComponent(revision), path }
}

/** The endpoint as transformers.js wants it. */
export function hostOf(endpoint: string): string {
  return `${endpoint.replace(/\/+$/, '')}/`
}

export function isModel({ path }: Resource): boolean {
  return path.endsWith('.onnx')
}

/** The model whose weights the file has, by the names that transformers.js gives them. */
export function modelOf(resource: Resource): Resource | undefined {
  const [, path] = /^(.+\.onnx)_data(?:_\d+)?$/.exec(resource.path) ?? []
  return path === undefined ? undefined : { ...resource, path }
}
