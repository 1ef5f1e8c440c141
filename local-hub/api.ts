import type { Exchange } from './exchange.js'
import { answerListing } from './listing.js'
import { Problem, rateLimited } from './problem.js'
import { answerResolve, answerResolveCache } from './resolve.js'
import type { Site } from './site.js'

/** Routes the requests of the API origin. Segments are decoded one by one: a revision may contain encoded slashes. */
export async function answerApi(site: Site, exchange: Exchange): Promise<void> {
  if (!exchange.url.pathname.startsWith(`${site.prefix}/`)) throw new Problem(404, undefined, 'Not found')
  exchange.url.pathname = exchange.url.pathname.slice(site.prefix.length)
  const parts = exchange.url.pathname.slice(1).split('/').map(decodeURIComponent)
  const isListing = parts[0] === 'api' && parts[1] === 'models'
  const { exceeded, headers } = site.rateLimit.take(isListing ? 'api' : 'resolvers')
  if (exceeded) throw rateLimited(headers)
  exchange.addHeaders(headers)
  if (isListing) return answerListing(site, exchange, parts.slice(2))
  const cached = parts[0] === 'api' && parts[1] === 'resolve-cache' && parts[2] === 'models'
  if (cached) {
    const [owner = '', name = '', commit = '', ...path] = parts.slice(3)
    if (/^[0-9a-f]{40}$/.test(name)) {
      return answerResolveCache(site, exchange, owner, name, [commit, ...path].join('/'))
    }
    return answerResolveCache(site, exchange, `${owner}/${name}`, commit, path.join('/'))
  }
  const verb = parts.indexOf('resolve')
  const [revision = '', ...path] = parts.slice(verb + 1)
  if (verb < 1 || verb > 2 || path.length === 0) throw new Problem(404, undefined, 'Not found')
  await answerResolve(site, exchange, parts.slice(0, verb).join('/'), revision, path.join('/'))
}
