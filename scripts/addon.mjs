import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { ask, mustRun, ROOT, say } from './command.mjs'
import { libclangEnvironment } from './libclang.mjs'
import { packageProgram } from './node-modules.mjs'
import { exclusively } from './setup-lock.mjs'
import { filesUnder, hashOf, makeOnce } from './stamp.mjs'

const DIST = join(ROOT, 'dist')
// Loader and types keep the names by which src/binding.ts imports them.
const BUILD = [
  ...[
    'build',
    '--platform',
    '--manifest-path',
    'crates/node/Cargo.toml',
    '--package-json-path',
    'package.json',
  ],
  ...['--output-dir', 'dist', '--js', 'binding.cjs', '--dts', 'binding.d.cts'],
]

/** Builds the native addon into dist/ if its sources, the toolchain or the profile changed. */
export function buildAddon({ profile }) {
  const args = profile === 'release' ? [...BUILD, '--release'] : BUILD
  const stamp = join(ROOT, 'build', 'addon.stamp')
  const hash = hashOf([ask('rustc', ['-vV']), args, packageFields()], sources())
  return exclusively(() => makeOnce(stamp, hash, () => runNapi(profile, args), isBuilt))
}

async function runNapi(profile, args) {
  say(`building the native addon (${profile}; the first time takes some minutes)`)
  const advice = 'The native addon did not build: see the compiler messages above.'
  const cli = packageProgram('@napi-rs/cli/dist/cli.js')
  await mustRun(process.execPath, [cli, ...args], advice, { env: await libclangEnvironment() })
}

function sources() {
  const manifests = ['Cargo.toml', 'Cargo.lock'].map((name) => join(ROOT, name))
  return [...manifests, ...filesUnder(join(ROOT, 'crates'), ['tests', 'benches', 'python', 'target'])]
}

/** What the loader is made from besides the command's arguments. */
function packageFields() {
  const { name, version, napi } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8'))
  return { name, version, napi }
}

function isBuilt() {
  if (!existsSync(join(DIST, 'binding.cjs'))) return false
  return readdirSync(DIST).some((name) => name.endsWith('.node'))
}
