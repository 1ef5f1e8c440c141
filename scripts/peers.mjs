import { cpSync, mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { ROOT, StepError, say } from './command.mjs'
import { runNpm } from './node-modules.mjs'
import { exclusively } from './setup-lock.mjs'
import { hashOf, makeOnce } from './stamp.mjs'
import { installRequirements } from './virtual-env.mjs'

/** Which tools the benchmarks compare with. */
const WANTED = join(ROOT, 'bench', 'peers')

/** The environments of these tools; bench/peers.ts runs them from here. */
const PROGRAMS = join(ROOT, '.work', 'peers')
const PACKAGES = join(ROOT, '.work', 'peer-packages')

/** Installs the peers; where that is not possible, says so: the benchmarks then leave their rows out. */
export async function installPeers() {
  await orLeaveOut(() =>
    installRequirements(
      join(WANTED, 'requirements.txt'),
      'the peers to compare with (huggingface_hub, aria2)',
      PROGRAMS,
    ),
  )
  await orLeaveOut(installPackages)
}

async function orLeaveOut(install) {
  try {
    await install()
  } catch (error) {
    if (!(error instanceof StepError)) throw error
    say(`the peers are left out. ${error.message}`)
  }
}

/** The npm packages of the lock file, unless exactly these are installed. lmdb brings its addon built. */
function installPackages() {
  const files = ['package.json', 'package-lock.json'].map((name) => join(WANTED, name))
  const stamp = join(PACKAGES, 'node_modules', '.lock-hash')
  return exclusively(() =>
    makeOnce(stamp, hashOf([], files), () => {
      say('installing the peer to compare with (lmdb)')
      mkdirSync(PACKAGES, { recursive: true })
      for (const file of files) cpSync(file, join(PACKAGES, file.slice(WANTED.length)))
      return runNpm(['ci', '--ignore-scripts'], PACKAGES)
    }),
  )
}
