import { access, constants, readFile } from 'node:fs/promises'
import { homedir } from 'node:os'
import { join } from 'node:path'
import { checkProxy, checkUrl } from './argument.js'
import { invalidArgument } from './errors.js'
import type { OpenOptions } from './open-options.js'

/** Defaults that the environment gives to `ModelCache.open`; this file alone reads the environment. */
export type EnvironmentDefaults = Pick<
  OpenOptions,
  'path' | 'endpoint' | 'token' | 'offline' | 'proxy' | 'noProxy' | 'certificateAuthority'
>

type Variables = Readonly<Record<string, string | undefined>>

/**
 * Reads the variables of this package and of huggingface_hub, with the same meaning as there. What can be wrong is not
 * looked for where `explicit` has it.
 */
export async function readEnvironment(
  explicit: EnvironmentDefaults = {},
  variables: Variables = process.env,
): Promise<EnvironmentDefaults> {
  const path = nonEmpty(variables['MODEL_CACHE_DIR'])
  const endpoint = explicit.endpoint === undefined ? readEndpoint(variables) : undefined
  const token = explicit.token === undefined ? await readToken(variables) : undefined
  const proxy = explicit.proxy === undefined ? readProxies(variables) : undefined
  const noProxy = either(variables, 'no_proxy')
  const certificateAuthority =
    explicit.certificateAuthority === undefined ? await readAuthorities(variables) : undefined
  return {
    ...(path !== undefined && { path }),
    ...(endpoint !== undefined && { endpoint }),
    ...(token !== undefined && { token }),
    ...(proxy !== undefined && { proxy }),
    ...(noProxy !== undefined && { noProxy }),
    ...(certificateAuthority !== undefined && { certificateAuthority }),
    offline: isTrue(nonEmpty(variables['HF_HUB_OFFLINE']) ?? variables['TRANSFORMERS_OFFLINE']),
  }
}

/** The store's folder where neither the caller nor the environment names one: in the platform's cache directory. */
export async function defaultFolder(): Promise<string> {
  const { default: envPaths } = await import('env-paths')
  return join(envPaths('tabagent', { suffix: '' }).cache, 'model-cache')
}

/** The folder in which huggingface_hub keeps what it downloads. */
export function hfCacheFolder(variables: Variables = process.env): string {
  const named = readPath(variables, 'HF_HUB_CACHE') ?? readPath(variables, 'HUGGINGFACE_HUB_CACHE')
  return named ?? join(hfHome(variables), 'hub')
}

function readEndpoint(variables: Variables): string | undefined {
  const endpoint = nonEmpty(variables['HF_ENDPOINT'])
  if (endpoint !== undefined) checkUrl(endpoint, 'HF_ENDPOINT')
  return endpoint
}

/**
 * HF_TOKEN, then its older name, then the token file; surrounding white space never belongs to a token. None at all where
 * only a token that is passed may be sent.
 */
async function readToken(variables: Variables): Promise<string | undefined> {
  if (isTrue(variables['HF_HUB_DISABLE_IMPLICIT_TOKEN'])) return undefined
  const named = nonEmpty(variables['HF_TOKEN']) ?? nonEmpty(variables['HUGGING_FACE_HUB_TOKEN'])
  if (named !== undefined) return named
  const text = await readFile(tokenFile(variables), 'utf8').catch(() => undefined)
  return nonEmpty(text)
}

function tokenFile(variables: Variables): string {
  return readPath(variables, 'HF_TOKEN_PATH') ?? join(hfHome(variables), 'token')
}

function hfHome(variables: Variables): string {
  const cacheHome = readPath(variables, 'XDG_CACHE_HOME') ?? join(homedir(), '.cache')
  return readPath(variables, 'HF_HOME') ?? join(cacheHome, 'huggingface')
}

/** A path that huggingface_hub reads: a shell that did not expand `~` and variables in it is made up for. */
function readPath(variables: Variables, name: string): string | undefined {
  const path = nonEmpty(variables[name])?.replace(/^~(?=$|[/\\])/, () => homedir())
  const named = process.platform === 'win32' ? /\$(\w+)|\$\{([^}]*)\}|%([^%]+)%/g : /\$(\w+)|\$\{([^}]*)\}/g
  return path?.replace(named, (found, ...names) => variables[names.find(Boolean)] ?? found)
}

/** As curl and Python read them. A request header `Proxy` reaches CGI programs as HTTP_PROXY: there it names no proxy. */
function readProxies(variables: Variables): EnvironmentDefaults['proxy'] {
  const { HTTP_PROXY: _, ...withoutUpperCase } = variables
  const http = readProxy(variables['REQUEST_METHOD'] ? withoutUpperCase : variables, 'http_proxy')
  const https = readProxy(variables, 'https_proxy')
  return http || https ? { ...(http && { http }), ...(https && { https }) } : undefined
}

function readProxy(variables: Variables, name: string): string | undefined {
  for (const one of [name, 'all_proxy']) {
    const proxy = either(variables, one)
    if (proxy === undefined) continue
    checkProxy(proxy, one.toUpperCase())
    return proxy
  }
  return undefined
}

/** Some of these replace the system's certificates elsewhere, some are added to them; here all are added. */
const AUTHORITIES = ['SSL_CERT_FILE', 'REQUESTS_CA_BUNDLE', 'CURL_CA_BUNDLE', 'NODE_EXTRA_CA_CERTS']

async function readAuthorities(variables: Variables): Promise<string[] | undefined> {
  const paths = new Set<string>()
  for (const name of AUTHORITIES) {
    const path = nonEmpty(variables[name])
    if (path === undefined) continue
    await access(path, constants.R_OK).catch((error) => {
      throw invalidArgument(`${name} names certificates that cannot be read: ${error.message}`)
    })
    paths.add(path)
  }
  return paths.size > 0 ? [...paths] : undefined
}

/** The variable of that name, in lower case first. */
function either(variables: Variables, name: string): string | undefined {
  return nonEmpty(variables[name]) ?? nonEmpty(variables[name.toUpperCase()])
}

function nonEmpty(value: string | undefined): string | undefined {
  return value?.trim() || undefined
}

function isTrue(value: string | undefined): boolean {
  return ['1', 'ON', 'YES', 'TRUE'].includes(value?.trim().toUpperCase() ?? '')
}
