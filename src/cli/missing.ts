import { isModelCacheError, type ModelCache } from '../index.js'
import { CommandError } from './failure.js'
import { findQuant } from './quant.js'
import type { Session } from './session.js'

/** The error with the command that downloads `name`, a quant or file of `repo`, where it says that this is not all stored. */
export function withDownload(
  error: unknown,
  { session, cache, repo, name }: { session: Session; cache: ModelCache; repo: string; name: string },
): unknown {
  const words = downloadOf(session, cache, repo, name)
  if (words === undefined || !isModelCacheError(error, 'ERR_FILE_NOT_FOUND')) return error
  const { code, message, path = name } = error
  return new CommandError(code, message, [`Download it: ${session.commandLine(...words)}`], { repo, path })
}

/** `undefined` for what the repository does not have. */
function downloadOf(session: Session, cache: ModelCache, repo: string, name: string): string[] | undefined {
  const manifest = cache.getManifest(repo, session.revision)
  if (!manifest) return undefined
  const quant = findQuant(manifest, name)
  if (quant) return ['pull', repo, '-q', quant.name]
  const files = [...manifest.sharedFiles, ...Object.values(manifest.quants).flatMap(({ files }) => files)]
  return files.some(({ path }) => path === name) ? ['pull', repo, '-f', name] : undefined
}
