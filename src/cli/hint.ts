import type { ErrorCode, ModelCache, ModelCacheError } from '../index.js'
import { commandLine, type GlobalOptions } from './command-line.js'
import { formatDuration } from './duration.js'
import { formatSize } from './size.js'
import { nearest } from './text.js'

/** What a hint can draw on. */
export interface Situation {
  options: GlobalOptions
  /** The open store, if it came to that. */
  cache: ModelCache | undefined
}

type Hint = (error: ModelCacheError, situation: Situation) => string[]

/** What to do next, beyond what the messages of the library say, in lines. */
export function hintsFor(error: ModelCacheError, situation: Situation): string[] {
  return HINTS[error.code]?.(error, situation) ?? []
}

const HINTS: Partial<Record<ErrorCode, Hint>> = {
  ERR_REPO_NOT_FOUND: ({ repo, url }, situation) => [
    ...suggest(repo, situation.cache?.listManifests().map((manifest) => manifest.repo) ?? []),
    // Where the store itself was asked, a token changes nothing.
    ...(url === undefined ? [`See what is stored: ${commandLine(everywhere(situation), 'ls')}`] : []),
    ...(url === undefined || situation.cache?.authenticated ? [] : passToken(situation)),
  ],
  ERR_QUANT_NOT_FOUND: ({ repo = 'REPO' }, { options }) => [
    `See sizes and formats: ${commandLine(options, 'scan', repo)}`,
  ],
  ERR_FILE_NOT_FOUND: ({ repo = 'REPO', path }, { cache, options }) => [
    ...suggest(path, pathsOf(repo, cache, options)),
    `See what is there: ${commandLine(options, 'scan', '--files', repo)}`,
  ],
  ERR_GATED: (_, situation) => passToken(situation),
  ERR_UNAUTHORIZED: (_, situation) => passToken(situation),
  ERR_RATE_LIMITED: ({ retryAfter }) =>
    retryAfter === undefined ? [] : [`The endpoint asks to wait ${formatDuration(retryAfter)}.`],
  ERR_OFFLINE: () => ['Leave out --offline, and unset HF_HUB_OFFLINE and TRANSFORMERS_OFFLINE.'],
  ERR_NO_SPACE: ({ needed, available }, { options }) => [
    ...(needed === undefined || available === undefined
      ? []
      : [`Needed: ${formatSize(needed)}; available: ${formatSize(available)}.`]),
    `Make room with ${commandLine(options, 'rm', 'REPO')}, or name a folder on another disk with --cache-dir.`,
  ],
  ERR_CORRUPT: (_, { options, cache }) =>
    cache
      ? [`Find what is damaged, and fetch it again: ${commandLine(options, 'verify', '--repair')}`]
      : ['Put the store back from a copy, or move its folder away: models are downloaded again then.'],
}

/** The options without a revision: what is not there at one may be at others. */
function everywhere({ options: { revision, ...others } }: Situation): GlobalOptions {
  return others
}

function passToken({ cache }: Situation): string[] {
  const page = cache && `${cache.endpoint.replace(/\/$/, '')}/settings/tokens`
  return ['A token is passed in HF_TOKEN or with --token.', ...(page ? [`Accounts make one at ${page}`] : [])]
}

function suggest(given: string | undefined, known: Iterable<string>): string[] {
  const near = given === undefined ? undefined : nearest(given, known)
  return near === undefined || near === given ? [] : [`Did you mean ${near}?`]
}

function pathsOf(repo: string, cache: ModelCache | undefined, { revision }: GlobalOptions): string[] {
  const manifest = cache?.getManifest(repo, { ...(revision !== undefined && { revision }) })
  const files = Object.values(manifest?.quants ?? {}).flatMap((quant) => quant.files)
  return files.map(({ path }) => path)
}
