import { createHash } from 'node:crypto'
import type { Exchange, Headers } from './exchange.js'
import { Problem } from './problem.js'
import { fullName, type Repository } from './repository.js'
import { findRepository, findSnapshot, redirectToTrueName, type Site } from './site.js'
import type { HubFile, Snapshot } from './snapshot.js'

/** `GET /api/models/{repo}[/revision/{rev} | /tree/{rev}[/{folder}] | /refs]`; `parts` is what follows `/api/models/`. */
export async function answerListing(site: Site, exchange: Exchange, parts: readonly string[]): Promise<void> {
  const verb = parts.findIndex((part, index) => index > 0 && ['revision', 'tree', 'refs'].includes(part))
  const asked = parts.slice(0, verb < 0 ? undefined : verb).join('/')
  const repository = await findRepository(site, exchange, asked)
  if (redirectToTrueName(site, exchange, asked, repository)) return
  const [kind, revision = 'main', ...folder] = verb < 0 ? ['revision'] : parts.slice(verb)
  if (kind === 'refs') return exchange.replyJson(200, await refs(site, repository))
  const snapshot = await findSnapshot(site, repository, revision)
  if (kind === 'tree') return answerTree(site, exchange, snapshot, folder.join('/'))
  answerInfo(exchange, modelInfo(repository, snapshot, exchange.url.searchParams.get('blobs') === 'true'), {
    'x-repo-commit': snapshot.commit,
  })
}

/** With the weak ETag of the Hub, and without a body for who has that already. */
function answerInfo(exchange: Exchange, info: object, headers: Headers): void {
  const digest = createHash('sha1').update(JSON.stringify(info)).digest('base64')
  const etag = `W/"${digest}"`
  if (exchange.request.headers['if-none-match'] === etag) exchange.reply(304, { ...headers, etag })
  else exchange.replyJson(200, info, { ...headers, etag })
}

function modelInfo(repository: Repository, snapshot: Snapshot, blobs: boolean): object {
  const { settings, id } = repository
  const license = settings.license ? [`license:${settings.license}`] : []
  return {
    _id: snapshot.commit.slice(0, 24),
    id,
    modelId: id,
    sha: snapshot.commit,
    private: settings.private ?? false,
    gated: settings.gated ?? false,
    disabled: settings.disabled ?? false,
    ...(settings.pipeline_tag && { pipeline_tag: settings.pipeline_tag }),
    ...(settings.library_name && { library_name: settings.library_name }),
    ...(settings.license && { cardData: { license: settings.license } }),
    ...(settings.config && { config: settings.config }),
    tags: [...(settings.tags ?? []), ...license],
    siblings: [...snapshot.files.values()].map((file) => (blobs ? sibling(file) : { rfilename: file.path })),
  }
}

function sibling(file: HubFile): object {
  const { path, size, blobId, lfs } = file
  return {
    rfilename: path,
    size,
    blobId,
    ...(lfs && { lfs: { sha256: lfs.sha256, size, pointerSize: lfs.pointerSize } }),
  }
}

async function refs(site: Site, repository: Repository): Promise<object> {
  const list = async (kind: 'branch' | 'tag') =>
    Promise.all(
      repository.refs
        .filter((ref) => ref.kind === kind)
        .map(async (ref) => {
          const { commit } = await findSnapshot(site, repository, ref.name)
          return { name: ref.name, ref: fullName(ref), targetCommit: commit }
        }),
    )
  return { branches: await list('branch'), tags: await list('tag'), converts: [] }
}

/** One page of the tree; the Link header leads to the next, with everything it needs in its query. */
function answerTree(site: Site, exchange: Exchange, snapshot: Snapshot, folder: string): void {
  const query = exchange.url.searchParams
  const recursive = ['true', '1'].includes(query.get('recursive') ?? '')
  const entries = treeEntries(snapshot, folder, recursive)
  if (!entries)
    throw new Problem(404, 'EntryNotFound', 'Entry not found', { 'x-repo-commit': snapshot.commit })
  const start = Number(Buffer.from(query.get('cursor') ?? '', 'base64url').toString() || 0)
  const end = start + Math.min(site.pageSize, Number(query.get('limit') ?? Infinity))
  const next = new URL(site.prefix + exchange.url.pathname + exchange.url.search, site.apiUrl)
  next.searchParams.set('cursor', Buffer.from(String(end)).toString('base64url'))
  const link = end < entries.length ? { link: `<${next.href}>; rel="next"` } : {}
  exchange.replyJson(200, entries.slice(start, end), { 'x-repo-commit': snapshot.commit, ...link })
}

function treeEntries(snapshot: Snapshot, folder: string, recursive: boolean): object[] | undefined {
  const prefix = folder === '' ? '' : `${folder}/`
  const entries = new Map<string, object>()
  for (const file of snapshot.files.values()) {
    if (!file.path.startsWith(prefix)) continue
    const inside = file.path.slice(prefix.length).split('/')
    const depth = recursive ? inside.length - 1 : Math.min(1, inside.length - 1)
    for (let n = 1; n <= depth; n += 1) {
      const path = prefix + inside.slice(0, n).join('/')
      entries.set(path, { type: 'directory', oid: snapshot.commit, size: 0, path })
    }
    if (recursive || inside.length === 1) entries.set(file.path, treeFile(file))
  }
  return entries.size > 0 || folder === '' ? [...entries.values()] : undefined
}

function treeFile(file: HubFile): object {
  const { path, size, blobId, lfs } = file
  const pointer = lfs && { oid: lfs.sha256, size, pointerSize: lfs.pointerSize }
  return { type: 'file', oid: blobId, size, path, ...(pointer && { lfs: pointer }) }
}
