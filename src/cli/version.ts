import { readFileSync } from 'node:fs'

/** Version of the package this is part of. */
export function packageVersion(): string {
  return JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8')).version
}
