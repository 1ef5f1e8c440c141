// npm test               everything: lints, Rust, TypeScript, Python. The last line is `N passed, N failed`.
// npm test -- ava        only the named steps
import { buildAddon } from './addon.mjs'
import { run, StepError } from './command.mjs'
import { installEngines } from './engines.mjs'
import { libclangEnvironment } from './libclang.mjs'
import { buildLlama } from './llama.mjs'
import { buildTestModels } from './minilm.mjs'
import { installNodeModules, packageProgram } from './node-modules.mjs'
import { buildWheel, lintPython, testPython } from './python.mjs'
import { countAva, countCargo, countPytest } from './test-count.mjs'
import { checkToolchain } from './toolchain.mjs'
import { compileTypeScript } from './typescript.mjs'

const node = (program, args) => run(process.execPath, [packageProgram(program), ...args])
const cargo = async (...args) => run('cargo', args, { env: await libclangEnvironment() })

// Biome colours its output even where nobody sees colours.
const COLORS = process.stdout.isTTY ? [] : ['--colors=off']

/** A step makes something, checks something (status only), or runs tests that `count` finds in its output. */
const STEPS = [
  { name: 'toolchain', always: true, make: checkToolchain },
  { name: 'npm packages', always: true, make: installNodeModules },
  { name: 'rustfmt', run: () => cargo('fmt', '--all', '--check') },
  { name: 'clippy', run: () => cargo('clippy', '--workspace', '--all-targets', '--', '-D', 'warnings') },
  { name: 'biome', run: () => node('@biomejs/biome/bin/biome', ['ci', ...COLORS, '.']) },
  { name: 'cargo', run: () => cargo('test', '--workspace', '--no-fail-fast'), count: countCargo },
  { name: 'addon', before: ['ava', 'pytest'], make: () => buildAddon({ profile: 'release' }) },
  { name: 'typescript', before: ['ava', 'pytest'], make: compileTypeScript },
  { name: 'example model', before: ['ava', 'pytest'], make: buildTestModels },
  { name: 'engines', before: ['ava', 'pytest'], make: installEngines },
  { name: 'example llama', before: ['ava', 'pytest'], make: buildLlama },
  { name: 'ava', run: () => node('ava/entrypoints/cli.mjs', []), count: countAva },
  { name: 'wheel', before: ['python lints', 'pytest'], make: buildWheel },
  { name: 'python lints', run: lintPython },
  { name: 'pytest', run: testPython, count: countPytest },
]

/** Runs one step and returns its counts; what is no test counts only when it fails. */
async function runStep({ name, make, run, count }) {
  console.log(`\n== ${name}`)
  try {
    await make?.()
    const { status, text } = (await run?.()) ?? { status: 0, text: '' }
    const counts = count?.(text) ?? { passed: 0, failed: 0 }
    const ranNothing = count && counts.passed + counts.failed === 0
    return { ...counts, failed: status !== 0 || ranNothing ? Math.max(1, counts.failed) : counts.failed }
  } catch (error) {
    console.error(error instanceof StepError ? error.message : error)
    return { passed: 0, failed: 1 }
  }
}

/** With names given: these steps, and what they cannot do without. */
function isWanted({ name, always, before = [] }) {
  return (
    wanted.length === 0 || always || wanted.includes(name) || before.some((step) => wanted.includes(step))
  )
}

const wanted = process.argv.slice(2)
const total = { passed: 0, failed: 0 }
const failures = []
for (const step of STEPS) {
  if (!isWanted(step)) continue
  const { passed, failed } = await runStep(step)
  total.passed += passed
  total.failed += failed
  if (failed > 0) failures.push(step.name)
}
if (failures.length > 0) console.log(`\nfailed: ${failures.join(', ')}`)
console.log(`\n${total.passed} passed, ${total.failed} failed`)
process.exitCode = total.failed > 0 ? 1 : 0
