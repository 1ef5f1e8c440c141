/** A repository as a command line names it. */
export interface NamedRepo {
  repo: string
  revision?: string
  quant?: string
}

const HUB = /^(?:https?:\/\/)?(?:www\.)?(?:huggingface\.co|hf\.co)\//i

/** Below a Hub: the repository, and the revision of a page that shows it at one. */
const PAGE = /^((?:[^/]+\/)?[^/]+?)(?:\/(?:tree|blob|resolve)\/([^/]+)(?:\/.*)?)?\/?(?:[?#].*)?$/

/**
 * Reads what people paste for a repository: its name, its address at the Hub or at `endpoint`, and with `quant` also what stands
 * behind a colon, as in `owner/name:q8`. What is none of these is left to the library, which says what is right.
 */
export function readRepo(
  text: string,
  { endpoint, quant }: { endpoint?: string; quant: boolean },
): NamedRepo {
  const [, before = text, behind] = (quant && /^(.+):([^/:]+)$/.exec(text)) || []
  const [, repo = before, revision] = PAGE.exec(pageOf(before, endpoint) ?? '') ?? []
  return {
    repo,
    ...(revision !== undefined && { revision: decodeURIComponent(revision) }),
    ...(behind !== undefined && { quant: behind }),
  }
}

/** The part of an address that names a page, or `undefined` of what is no address of a Hub. */
function pageOf(text: string, endpoint: string | undefined): string | undefined {
  const own = endpoint === undefined ? undefined : `${endpoint.replace(/\/+$/, '')}/`
  if (own !== undefined && text.startsWith(own)) return text.slice(own.length)
  return HUB.test(text) ? text.replace(HUB, '') : undefined
}
