import { rmSync } from 'node:fs'
import { basename, join } from 'node:path'
import { ask, mustRun, ROOT, say } from './command.mjs'
import { exclusively } from './setup-lock.mjs'
import { hashOf, makeOnce } from './stamp.mjs'
import { PYTHON } from './toolchain.mjs'

const FOLDER = join(ROOT, '.venv')

/** The Python of the project's own virtual environment. */
export const VENV_PYTHON =
  process.platform === 'win32' ? join(FOLDER, 'Scripts', 'python.exe') : join(FOLDER, 'bin', 'python')

/** Installs a requirements file, every package checked against its hash, unless it is installed already. */
export function installRequirements(file, purpose) {
  return exclusively(async () => {
    await makeVirtualEnv()
    const stamp = join(FOLDER, `.${basename(file)}-${hashOf([file]).slice(0, 8)}`)
    const hash = hashOf([ask(VENV_PYTHON, ['--version'])], [file])
    await makeOnce(stamp, hash, () => runPip(file, purpose))
  })
}

async function runPip(file, purpose) {
  say(`installing Python packages for ${purpose}`)
  const advice = `pip could not install ${file}: see its message above. It needs a Python package index.`
  const options = ['--quiet', '--disable-pip-version-check', '--require-hashes', '--only-binary=:all:']
  await mustRun(VENV_PYTHON, ['-m', 'pip', 'install', ...options, '-r', file], advice)
}

async function makeVirtualEnv() {
  if (ask(VENV_PYTHON, ['-m', 'pip', '--version']) !== undefined) return
  say('making the Python virtual environment .venv')
  rmSync(FOLDER, { recursive: true, force: true })
  const advice = 'Python could not make a virtual environment (Debian: install python3-venv).'
  await mustRun(PYTHON, ['-m', 'venv', FOLDER], advice)
}
