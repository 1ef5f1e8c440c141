import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { mustRun, ROOT, say } from './command.mjs'
import { exclusively } from './setup-lock.mjs'
import { hashOf, makeOnce } from './stamp.mjs'

/** Installs the npm packages of the lock file, unless exactly these are installed. */
export function installNodeModules() {
  const stamp = join(ROOT, 'node_modules', '.lock-hash')
  const hash = hashOf([], [join(ROOT, 'package-lock.json')])
  return exclusively(() => makeOnce(stamp, hash, installLocked))
}

function installLocked() {
  say('installing the npm packages of package-lock.json (about half a minute)')
  return runNpm(['ci'])
}

/** Runs a command of npm that installs packages in a folder. */
export async function runNpm(args, cwd = ROOT) {
  const [program, ...script] = npm()
  const advice = `npm ${args[0]} failed: see its message above. It needs an npm registry.`
  await mustRun(program, [...script, ...args, '--no-audit', '--no-fund', '--loglevel=error'], advice, { cwd })
}

/** A program of an installed package as an argument array for Node. */
export function packageProgram(path) {
  return join(ROOT, 'node_modules', ...path.split('/'))
}

function npm() {
  const script = process.env.npm_execpath
  return script && existsSync(script) ? [process.execPath, script] : ['npm']
}
