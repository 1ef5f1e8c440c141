import { invalidArgument } from './errors.js'

/** Throws `ERR_INVALID_ARGUMENT` naming the argument `name` when `value` is not what is wanted. */
export type Check = (value: unknown, name: string) => void

/** A check for every key of an options type. */
export type Schema<T> = { readonly [K in keyof Required<T>]: Check }

export const checkString: Check = (value, name) => {
  if (typeof value !== 'string' || value === '') throw wrong(name, 'a non-empty string', value)
}

export const checkBoolean: Check = (value, name) => {
  if (typeof value !== 'boolean') throw wrong(name, 'a boolean', value)
}

export const checkFunction: Check = (value, name) => {
  if (typeof value !== 'function') throw wrong(name, 'a function', value)
}

/** By its members, not its class: signals of other realms and of polyfills are signals too. */
export const checkSignal: Check = (value, name) => {
  const signal = value as Partial<AbortSignal> | null
  if (
    typeof signal !== 'object' ||
    typeof signal?.aborted !== 'boolean' ||
    typeof signal.addEventListener !== 'function' ||
    typeof signal.removeEventListener !== 'function'
  ) {
    throw wrong(name, 'an AbortSignal', value)
  }
}

/** By its members, not its class: a cache of another copy of this package is a cache too. */
export function checkCache(value: unknown): void {
  const cache = value as { endpoint?: unknown; onnxModel?: unknown } | null | undefined
  if (typeof cache?.endpoint !== 'string' || typeof cache.onnxModel !== 'function')
    throw wrong('cache', 'a ModelCache', value)
}

/** A whole number from `least` to `most`. */
export function checkInteger(least: number, most: number = Number.MAX_SAFE_INTEGER): Check {
  return (value, name) => {
    if (!Number.isSafeInteger(value) || (value as number) < least || (value as number) > most) {
      const range = most === Number.MAX_SAFE_INTEGER ? `of at least ${least}` : `from ${least} to ${most}`
      throw wrong(name, `a whole number ${range}`, value)
    }
  }
}

/** One of some words. */
export function checkChoice(...choices: string[]): Check {
  return (value, name) => {
    if (!choices.includes(value as string)) {
      throw wrong(name, `one of ${choices.map((choice) => show(choice)).join(', ')}`, value)
    }
  }
}

export const checkUrl: Check = (value, name) => {
  checkString(value, name)
  if (!URL.canParse(value as string) || !/^https?:/i.test(value as string)) {
    throw wrong(name, `an http or https URL${suggestUrl(value as string)}`, value)
  }
}

/** What was meant where only the scheme is missing: of this machine http. */
function suggestUrl(value: string): string {
  const [, host] = /^(localhost|[\w-]+(?:\.[\w-]+)+)(?::\d+)?(?:\/|$)/i.exec(value) ?? []
  if (host === undefined) return ''
  const scheme = /^(localhost|127\.)/i.test(host) ? 'http' : 'https'
  return ` such as ${scheme}://${value}`
}

/** A proxy's URL, or one for each scheme. What was given is not shown: it may hold a password. */
export const checkProxy: Check = (value, name) => {
  const proxies = typeof value === 'string' ? { http: value } : value
  const isRight = ([scheme, url]: [string, unknown]) =>
    ['http', 'https'].includes(scheme) && (url === undefined || isProxyUrl(url))
  if (typeof proxies === 'object' && proxies !== null && Object.entries(proxies).every(isRight)) return
  throw invalidArgument(
    `${name} must be a URL with a host that begins with http, https, socks5 or socks5h, or an object of such URLs by ` +
      '"http" and "https"',
  )
}

/** A path, or several. */
export const checkPaths: Check = (value, name) => {
  const isPath = (path: unknown) => typeof path === 'string' && path !== ''
  if (Array.isArray(value) ? value.every(isPath) : isPath(value)) return
  throw wrong(name, 'a path or an array of paths', value)
}

/** `name` or `owner/name`, with the characters the Hub allows, as the core checks it too. */
export const checkRepo: Check = (value, name) => {
  checkString(value, name)
  const repo = value as string
  const slash = repo.indexOf('/')
  const isRepo = slash < 0 || isRepoSegment(repo.slice(0, slash))
  if (!isRepo || !isRepoSegment(repo.slice(slash + 1))) {
    throw invalidArgument(
      `${name} must be \`name\` or \`owner/name\` of letters, digits, ".", "_" and "-", got ${show(value)}`,
    )
  }
}

/** The arguments that name a file. */
export function checkFile(repo: string, path: string): void {
  checkRepo(repo, 'repo')
  checkString(path, 'path')
}

/**
 * Checks an options object against its schema and returns what is set in it.
 *
 * An unknown key is refused by name: a misspelt option that is ignored is found too late.
 */
export function checkOptions<T extends object>(options: T | undefined, schema: Schema<T>): T {
  if (options === undefined) return {} as T
  if (typeof options !== 'object' || options === null || Array.isArray(options)) {
    throw wrong('options', 'an object', options)
  }
  const set = Object.entries(options).filter(([, value]) => value !== undefined)
  for (const [key, value] of set) {
    if (!Object.hasOwn(schema, key)) throw unknownOption(key, Object.keys(schema))
    schema[key as keyof T](value, `option "${key}"`)
  }
  return Object.fromEntries(set) as T
}

function unknownOption(key: string, known: string[]): Error {
  const near = known.find((name) => isNear(name.toLowerCase(), key.toLowerCase()))
  const hint = near === undefined ? `known are ${known.join(', ')}` : `did you mean "${near}"?`
  return invalidArgument(`unknown option "${key}": ${hint}`)
}

/** Equal but for one letter too many, missing, wrong, or swapped with its neighbour. */
function isNear(known: string, given: string): boolean {
  if (Math.abs(known.length - given.length) > 1) return false
  let start = 0
  while (start < known.length && known[start] === given[start]) start += 1
  const [a, b] = [known.slice(start), given.slice(start)]
  const swapped = a.length > 1 && a[0] === b[1] && a[1] === b[0] && a.slice(2) === b.slice(2)
  return swapped || a.slice(1) === b.slice(1) || a.slice(1) === b || a === b.slice(1)
}

/** Without a scheme http is meant, as in the variables that name proxies. */
function isProxyUrl(value: unknown): boolean {
  if (typeof value !== 'string' || value.trim() === '') return false
  const text = value.includes('://') ? value : `http://${value}`
  return /^(https?|socks5h?):/i.test(text) && URL.canParse(text) && new URL(text).host !== ''
}

function isRepoSegment(segment: string): boolean {
  return segment.length <= 96 && /^[\w-][\w.-]*$/.test(segment) && !segment.includes('..')
}

function wrong(name: string, wanted: string, value: unknown): Error {
  return invalidArgument(`${name} must be ${wanted}, got ${show(value)}`)
}

function show(value: unknown): string {
  if (typeof value === 'string') return JSON.stringify(value.length > 80 ? `${value.slice(0, 80)}...` : value)
  if (['number', 'bigint', 'boolean', 'undefined'].includes(typeof value) || value === null)
    return String(value)
  return Array.isArray(value) ? 'an array' : `${typeof value === 'object' ? 'an' : 'a'} ${typeof value}`
}
