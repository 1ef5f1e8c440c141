// The Python module: its wheel, built and installed into an environment of its own, and what checks it there.
import { mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { ask, mustRun, ROOT, run, say } from './command.mjs'
import { libclangEnvironment } from './libclang.mjs'
import { exclusively } from './setup-lock.mjs'
import { filesUnder, hashOf, makeOnce } from './stamp.mjs'
import { installRequirements, pythonOf } from './virtual-env.mjs'

const SOURCES = join(ROOT, 'crates', 'python')
const FOLDER = join(ROOT, '.work', 'python')
const VENV = pythonOf(FOLDER)

/** Builds the wheel and installs it, if anything it is made of changed. */
export async function buildWheel() {
  await installTools()
  const hash = hashOf([ask('rustc', ['-vV']), ask(VENV, ['--version'])], wheelSources())
  await exclusively(() => makeOnce(join(FOLDER, '.wheel'), hash, makeWheel))
}

/** Builds the wheel into `folder`, for whoever installs it elsewhere. */
export async function writeWheel(folder) {
  await installTools()
  await exclusively(() => runMaturin(folder))
}

/** Formatting, lints and types. */
export async function lintPython() {
  const checks = [['ruff', 'format', '--check', '.'], ['ruff', 'check', '.'], ['mypy']]
  for (const check of checks) {
    const result = await inVenv({}, ...check)
    if (result.status !== 0) return result
  }
  return { status: 0, text: '' }
}

/** The tests, of the installed wheel. */
export function testPython() {
  return pytest({}, '--quiet')
}

/** One file of tests, with this added to its environment and its output shown. */
export function testPythonFile(file, env) {
  return pytest(env, '--quiet', '--capture=no', file)
}

/** In a folder for temporary files of its own: pytest clears away those of other runs of the same user, also of one under way. */
async function pytest(env, ...args) {
  const folder = mkdtempSync(join(tmpdir(), 'model-cache-pytest-'))
  try {
    return await inVenv({ ...env, PYTEST_DEBUG_TEMPROOT: folder }, 'pytest', ...args)
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

function inVenv(env, ...args) {
  return run(VENV, ['-m', ...args], { cwd: SOURCES, env: { PYTHONDONTWRITEBYTECODE: '1', ...env } })
}

function installTools() {
  const what = 'the Python module (maturin, pytest)'
  return installRequirements(join(SOURCES, 'requirements.txt'), what, FOLDER)
}

async function makeWheel() {
  const folder = mkdtempSync(join(FOLDER, 'wheel-'))
  try {
    await runMaturin(folder)
    await installWheel(folder)
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

async function runMaturin(folder) {
  say('building the Python module (the first time takes some minutes)')
  const advice = 'The Python module did not build: see the compiler messages above.'
  const args = ['--release', '--locked', '--auditwheel', 'skip', '--out', folder, '--target', rustTarget()]
  const options = { cwd: SOURCES, env: await libclangEnvironment() }
  await mustRun(VENV, ['-m', 'maturin', 'build', '--interpreter', VENV, ...args], advice, options)
}

async function installWheel(folder) {
  const [wheel] = readdirSync(folder)
  const options = ['--quiet', '--disable-pip-version-check', '--no-index', '--no-deps', '--force-reinstall']
  const advice = 'pip could not install the wheel: see its message above.'
  await mustRun(VENV, ['-m', 'pip', 'install', ...options, join(folder, wheel)], advice)
}

/** Named, so that what was compiled for the addon is used again: the napi command names it too. */
function rustTarget() {
  return /^host: (.*)$/m.exec(ask('rustc', ['-vV']))[1]
}

function wheelSources() {
  const rust = ['Cargo.toml', 'Cargo.lock', join('.cargo', 'config.toml')].map((name) => join(ROOT, name))
  const python = [join(SOURCES, 'pyproject.toml'), ...filesUnder(join(SOURCES, 'python'), ['__pycache__'])]
  return [
    ...rust,
    ...filesUnder(join(ROOT, 'crates'), ['tests', 'benches', 'python', 'target', 'node']),
    ...filesUnder(join(SOURCES, 'src')),
    join(SOURCES, 'Cargo.toml'),
    ...python,
  ]
}
