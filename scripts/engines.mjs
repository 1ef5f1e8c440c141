import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { ROOT, say } from './command.mjs'
import { runNpm } from './node-modules.mjs'
import { exclusively } from './setup-lock.mjs'
import { hashOf, makeOnce } from './stamp.mjs'

/** An npm project of its own: the engines that tests and benchmarks run are no part of the library. */
const ENGINES = join(ROOT, 'engines')

/** Installs the engines of the lock file, unless exactly these are installed. */
export function installEngines() {
  const lock = join(ENGINES, 'package-lock.json')
  const stamp = join(ENGINES, 'node_modules', '.lock-hash')
  return exclusively(() =>
    makeOnce(stamp, hashOf([], [join(ENGINES, 'package.json'), lock]), () => install(lock)),
  )
}

/**
 * Without optional packages, which are builds for CUDA and Vulkan (600 MB), but with what this platform runs. The lock file
 * holds for both and stays as it is.
 */
function install(lock) {
  say('installing the engines of engines/package-lock.json (410 MB, about half a minute)')
  const native = nativePackages(JSON.parse(readFileSync(lock, 'utf8')).packages)
  return runNpm(['install', '--no-save', '--omit=optional', ...native], ENGINES)
}

/** sharp, which transformers.js does not start without, and llama.cpp for the processor, as the lock file has them. */
function nativePackages(packages) {
  const wanted = new RegExp(
    `^node_modules/(@img/sharp-(libvips-)?\\w+|@node-llama-cpp/(mac|win|linux))-${process.arch}(-metal)?$`,
  )
  return Object.entries(packages)
    .filter(([path, entry]) => wanted.test(path) && runsHere(entry))
    .map(([path, { version }]) => `${path.slice('node_modules/'.length)}@${version}`)
}

function runsHere({ os, libc }) {
  const ours = process.report.getReport().header.glibcVersionRuntime ? 'glibc' : 'musl'
  return os.includes(process.platform) && (libc === undefined || libc.includes(ours))
}
