/** Options that every command takes. */
export interface GlobalOptions {
  cacheDir?: string
  endpoint?: string
  token?: string
  revision?: string
  offline?: boolean
  /** Bytes per second. */
  limitRate?: number
  json?: boolean
  quiet?: boolean
}

/**
 * What to type for a command under the same global options. A token is never repeated: its place is shown. Offline mode is
 * left out, as what is to be typed next may need the network.
 */
export function commandLine(options: GlobalOptions, ...words: string[]): string {
  const globals = [
    ...(options.revision === undefined ? [] : ['--revision', options.revision]),
    ...(options.cacheDir === undefined ? [] : ['--cache-dir', options.cacheDir]),
    ...(options.endpoint === undefined ? [] : ['--endpoint', options.endpoint]),
    ...(options.token === undefined ? [] : ['--token', 'TOKEN']),
  ]
  return [...program(), ...[...words, ...globals].map(quote)].join(' ')
}

/** As this process was started: `npx` finds the program by the package's name, installed or not. */
function program(): string[] {
  return process.env['npm_command'] === 'exec' ? ['npx', '@tabagent/model-cache'] : ['model-cache']
}

/** A word as the shell takes it. */
function quote(word: string): string {
  if (/^[\w@%+=:,./-]+$/.test(word)) return word
  return process.platform === 'win32' ? `"${word}"` : `'${word.replaceAll("'", "'\\''")}'`
}
