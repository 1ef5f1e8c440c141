import { createHash } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { gzipSync } from 'node:zlib'
import type { Exchange } from './exchange.js'
import { sendFile } from './file-body.js'
import { entryNotFound } from './problem.js'
import { checkGate, findRepository, findSnapshot, redirectToTrueName, type Site } from './site.js'
import type { HubFile, Snapshot } from './snapshot.js'

/** `/{repo}/resolve/{rev}/{path}`: where the bytes are. Never the bytes themselves. */
export async function answerResolve(
  site: Site,
  exchange: Exchange,
  asked: string,
  revision: string,
  path: string,
): Promise<void> {
  const repository = await findRepository(site, exchange, asked)
  if (redirectToTrueName(site, exchange, asked, repository)) return
  checkGate(exchange, repository)
  const snapshot = await findSnapshot(site, repository, revision)
  const file = findFile(snapshot, path)
  exchange.addHeaders({ 'x-repo-commit': snapshot.commit, 'accept-ranges': 'bytes', vary: 'Origin, Accept' })
  if (file.lfs) return redirectToCdn(site, exchange, file, file.lfs.sha256)
  redirectToResolveCache(site, exchange, repository.id, snapshot.commit, file)
}

/** `/api/resolve-cache/models/{repo}/{commit}/{path}`: the bytes of a file that is in git. */
export async function answerResolveCache(
  site: Site,
  exchange: Exchange,
  repo: string,
  commit: string,
  path: string,
): Promise<void> {
  const repository = await findRepository(site, exchange, repo)
  checkGate(exchange, repository)
  const file = findFile(await findSnapshot(site, repository, commit), path)
  const headers = {
    'x-repo-commit': commit,
    etag: `"${file.blobId}"`,
    'content-type': 'text/plain; charset=utf-8',
  }
  const whole = exchange.request.headers.range === undefined
  if (!(whole && exchange.acceptsGzip())) return sendFile(exchange, file, headers, site.pace)
  const body = gzipSync(await readFile(file.location))
  exchange.reply(200, { ...headers, 'content-encoding': 'gzip' }, body)
}

function findFile(snapshot: Snapshot, path: string): HubFile {
  const file = snapshot.files.get(path)
  if (!file) throw entryNotFound(snapshot.commit)
  return file
}

function redirectToCdn(site: Site, exchange: Exchange, file: HubFile, sha256: string): void {
  const place = cdnPlace(sha256)
  site.cdnFiles.set(place, file)
  const url = new URL(place, site.cdnUrl)
  const name = file.path.split('/').at(-1) ?? file.path
  url.searchParams.set('response-content-disposition', `inline; filename*=UTF-8''${encodeURIComponent(name)}`)
  const location = site.signer.sign(url).href
  const headers = {
    location,
    'x-linked-etag': `"${sha256}"`,
    'x-linked-size': file.size,
    etag: `"${cdnEtag(sha256)}"`,
  }
  exchange.reply(302, headers, `Found. Redirecting to ${location}`)
}

/** Relative, and its Content-Length is that of this redirect's own body. */
function redirectToResolveCache(
  site: Site,
  exchange: Exchange,
  repo: string,
  commit: string,
  file: HubFile,
): void {
  const path = file.path.split('/').map(encodeURIComponent).join('/')
  const query = `${encodeURIComponent(exchange.url.pathname)}=&etag=${encodeURIComponent(`"${file.blobId}"`)}`
  const location = `${site.prefix}/api/resolve-cache/models/${repo}/${commit}/${path}?${query}`
  exchange.reply(307, { location }, `Temporary Redirect. Redirecting to ${location}`)
}

function cdnPlace(sha256: string): string {
  return `/xet-bridge-us/${cdnEtag(sha256)}`
}

/** As many hex digits as the file's own digest, but not it: a client that trusts it verifies nothing. */
export function cdnEtag(sha256: string): string {
  return createHash('sha256').update(`cdn ${sha256}`).digest('hex')
}
