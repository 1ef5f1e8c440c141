import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { mustRun, ROOT, say } from './command.mjs'
import { hashOf, isStamped, writeStamp } from './stamp.mjs'

/** Installs the npm packages of the lock file, unless exactly these are installed. */
export async function installNodeModules() {
  const lock = join(ROOT, 'package-lock.json')
  const stamp = join(ROOT, 'node_modules', '.lock-hash')
  const hash = hashOf([], [lock])
  if (isStamped(stamp, hash)) return
  say('installing the npm packages of package-lock.json (about half a minute)')
  const [program, ...args] = npm()
  const advice = 'npm ci failed: see its message above. It needs an npm registry.'
  await mustRun(program, [...args, 'ci', '--no-audit', '--no-fund', '--loglevel=error'], advice)
  writeStamp(stamp, hash)
}

/** A program of an installed package as an argument array for Node. */
export function packageProgram(path) {
  return join(ROOT, 'node_modules', ...path.split('/'))
}

function npm() {
  const script = process.env.npm_execpath
  return script && existsSync(script) ? [process.execPath, script] : ['npm']
}
