// What has to be on the machine already, and how to get it.
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { ask, ROOT, StepError } from './command.mjs'

const WINDOWS = process.platform === 'win32'

/** The name under which Python 3 answers here. */
export const PYTHON = ['python3', 'python'].find((name) => /^Python 3/.test(ask(name, ['--version']) ?? ''))

/** The C compiler. On Windows the Rust crates find Visual Studio's by themselves. */
export const COMPILER = ['cc', 'gcc', 'clang'].find((name) => ask(name, ['--version']) !== undefined)

/** Checks everything and names all that is missing in one message. */
export function checkToolchain() {
  const rust = /rust-version = "([\d.]+)"/.exec(readFileSync(join(ROOT, 'Cargo.toml'), 'utf8'))?.[1]
  const missing = [
    missingTool('Node.js', process.versions.node, '20', 'https://nodejs.org'),
    missingTool('Rust', ask('rustc', ['--version']), rust, 'https://rustup.rs'),
    missingTool('Cargo', ask('cargo', ['--version']), rust, 'https://rustup.rs'),
    missingTool('Python', PYTHON && ask(PYTHON, ['--version']), '3.10', 'https://www.python.org'),
    COMPILER || WINDOWS
      ? undefined
      : 'A C compiler is needed: install gcc or clang (Debian: build-essential; macOS: xcode-select --install).',
  ].filter(Boolean)
  if (missing.length > 0) throw new StepError(missing.join('\n'))
}

function missingTool(name, answer, least, source) {
  const version = /\d+(\.\d+)+/.exec(answer ?? '')?.[0]
  if (version && isAtLeast(version, least)) return undefined
  const found = version ? `found ${version}` : 'found none'
  return `${name} ${least} or newer is needed (${found}): see ${source}.`
}

function isAtLeast(version, least) {
  const [have, want] = [version, least].map((text) => text.split('.').map(Number))
  const at = want.findIndex((part, index) => part !== (have[index] ?? 0))
  return at < 0 || (have[at] ?? 0) > want[at]
}
