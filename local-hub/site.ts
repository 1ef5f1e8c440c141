import type { Exchange } from './exchange.js'
import type { Pace } from './pace.js'
import { disabled, gated, invalidCredentials, repoNotFound, revisionNotFound } from './problem.js'
import type { RateLimit } from './quota.js'
import type { Repository, RepositoryRoot } from './repository.js'
import type { UrlSigner } from './signature.js'
import type { HubFile, Snapshot } from './snapshot.js'

/** What the routes share. */
export interface Site {
  readonly repositories: RepositoryRoot
  readonly signer: UrlSigner
  readonly pace: Pace
  readonly rateLimit: RateLimit
  readonly tokens: readonly string[]
  readonly pageSize: number
  /** Path below which the API origin serves. */
  readonly prefix: string
  readonly apiUrl: string
  readonly cdnUrl: string
  /** Files of the CDN by their place there. */
  readonly cdnFiles: Map<string, HubFile>
}

/** Finds a repository that the caller may know of. */
export async function findRepository(site: Site, exchange: Exchange, id: string): Promise<Repository> {
  const { token } = exchange
  const known = token !== undefined && site.tokens.includes(token)
  if (exchange.record.authorization && !known) throw invalidCredentials()
  const repository = await site.repositories.find(id)
  if (!repository) throw repoNotFound(known)
  if (repository.settings.disabled) throw disabled()
  if (repository.settings.private && !isAllowed(repository, token)) throw repoNotFound(known)
  return repository
}

/** Refuses callers who may not read the files of a gated repository. */
export function checkGate(exchange: Exchange, repository: Repository): void {
  if (!repository.settings.gated || isAllowed(repository, exchange.token)) return
  throw gated(repository.id, exchange.record.authorization)
}

/** The snapshot a revision of the repository names. */
export async function findSnapshot(site: Site, repository: Repository, revision: string): Promise<Snapshot> {
  const snapshot = await site.repositories.snapshot(repository, revision)
  if (!snapshot) throw revisionNotFound(revision)
  return snapshot
}

/** Sends requests for another spelling or a former name to the true one. False: the name was right. */
export function redirectToTrueName(
  site: Site,
  exchange: Exchange,
  asked: string,
  repository: Repository,
): boolean {
  if (asked === repository.id) return false
  const path = site.prefix + exchange.url.pathname.replace(asked, repository.id)
  exchange.reply(
    307,
    { location: `${path}${exchange.url.search}` },
    `Temporary Redirect. Redirecting to ${path}`,
  )
  return true
}

function isAllowed(repository: Repository, token: string | undefined): boolean {
  return token !== undefined && (repository.settings.allowed ?? []).includes(token)
}
