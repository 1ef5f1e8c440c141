import { rmSync } from 'node:fs'
import { basename, join, relative } from 'node:path'
import { ask, mustRun, ROOT, say } from './command.mjs'
import { exclusively } from './setup-lock.mjs'
import { hashOf, makeOnce } from './stamp.mjs'
import { PYTHON } from './toolchain.mjs'

const FOLDER = join(ROOT, '.venv')

/** The Python of the project's own virtual environment. */
export const VENV_PYTHON = pythonOf(FOLDER)

/** The Python of the virtual environment in `folder`. */
export function pythonOf(folder) {
  return process.platform === 'win32' ? join(folder, 'Scripts', 'python.exe') : join(folder, 'bin', 'python')
}

/**
 * Installs a requirements file, every package checked against its hash, unless it is installed already: into the project's
 * own environment, or into another one in `folder`.
 */
export function installRequirements(file, purpose, folder = FOLDER) {
  return exclusively(async () => {
    const python = pythonOf(folder)
    await makeVirtualEnv(folder, python)
    const stamp = join(folder, `.${basename(file)}-${hashOf([file]).slice(0, 8)}`)
    const hash = hashOf([ask(python, ['--version'])], [file])
    await makeOnce(stamp, hash, () => runPip(python, file, purpose))
  })
}

async function runPip(python, file, purpose) {
  say(`installing Python packages for ${purpose}`)
  const advice = `pip could not install ${file}: see its message above. It needs a Python package index.`
  const options = ['--quiet', '--disable-pip-version-check', '--require-hashes', '--only-binary=:all:']
  await mustRun(python, ['-m', 'pip', 'install', ...options, '-r', file], advice)
}

async function makeVirtualEnv(folder, python) {
  if (ask(python, ['-m', 'pip', '--version']) !== undefined) return
  say(`making the Python virtual environment ${relative(ROOT, folder)}`)
  rmSync(folder, { recursive: true, force: true })
  const advice = 'Python could not make a virtual environment (Debian: install python3-venv).'
  await mustRun(PYTHON, ['-m', 'venv', folder], advice)
}
