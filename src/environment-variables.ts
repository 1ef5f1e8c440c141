import { readFile } from 'node:fs/promises'
import { homedir } from 'node:os'
import { join } from 'node:path'
import { checkUrl } from './argument.js'

/** Defaults that the environment gives to `ModelCache.open`; this file alone reads it. */
export interface EnvironmentDefaults {
  path?: string
  endpoint?: string
  token?: string
  offline?: boolean
}

type Variables = Readonly<Record<string, string | undefined>>

/**
 * Reads the variables of this package and of huggingface_hub, with the same meaning as there. Endpoint and token are not
 * looked for where `explicit` has them.
 */
export async function readEnvironment(
  explicit: EnvironmentDefaults = {},
  variables: Variables = process.env,
): Promise<EnvironmentDefaults> {
  const path = nonEmpty(variables['MODEL_CACHE_DIR'])
  const endpoint = explicit.endpoint === undefined ? readEndpoint(variables) : undefined
  const token = explicit.token === undefined ? await readToken(variables) : undefined
  return {
    ...(path !== undefined && { path }),
    ...(endpoint !== undefined && { endpoint }),
    ...(token !== undefined && { token }),
    offline: isTrue(variables['HF_HUB_OFFLINE']),
  }
}

/** The store's folder where neither the caller nor the environment names one: in the platform's cache directory. */
export async function defaultFolder(): Promise<string> {
  const { default: envPaths } = await import('env-paths')
  return join(envPaths('tabagent', { suffix: '' }).cache, 'model-cache')
}

function readEndpoint(variables: Variables): string | undefined {
  const endpoint = nonEmpty(variables['HF_ENDPOINT'])
  if (endpoint !== undefined) checkUrl(endpoint, 'HF_ENDPOINT')
  return endpoint
}

/** HF_TOKEN, then its older name, then the token file; surrounding white space never belongs to a token. */
async function readToken(variables: Variables): Promise<string | undefined> {
  const named = nonEmpty(variables['HF_TOKEN']) ?? nonEmpty(variables['HUGGING_FACE_HUB_TOKEN'])
  if (named !== undefined) return named
  const text = await readFile(tokenFile(variables), 'utf8').catch(() => undefined)
  return nonEmpty(text)
}

function tokenFile(variables: Variables): string {
  const cacheHome = nonEmpty(variables['XDG_CACHE_HOME']) ?? join(homedir(), '.cache')
  const home = nonEmpty(variables['HF_HOME']) ?? join(cacheHome, 'huggingface')
  return nonEmpty(variables['HF_TOKEN_PATH']) ?? join(home, 'token')
}

function nonEmpty(value: string | undefined): string | undefined {
  return value?.trim() || undefined
}

function isTrue(value: string | undefined): boolean {
  return ['1', 'ON', 'YES', 'TRUE'].includes(value?.trim().toUpperCase() ?? '')
}
