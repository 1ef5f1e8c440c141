// Makes what is missing on a clean clone, and nothing else. Needs only Node.js, Rust, Python and a C compiler.
import { buildAddon } from './addon.mjs'
import { StepError } from './command.mjs'
import { installNodeModules } from './node-modules.mjs'
import { checkToolchain } from './toolchain.mjs'
import { compileTypeScript } from './typescript.mjs'

/** Everything up to a library that can be imported. */
export async function bootstrap({ profile = 'release' } = {}) {
  checkToolchain()
  await installNodeModules()
  await buildAddon({ profile })
  await compileTypeScript()
}

/** Runs a main program; a step that failed has said what to do, so its stack is of no use. */
export async function runMain(main) {
  try {
    process.exitCode = await main()
  } catch (error) {
    if (!(error instanceof StepError)) throw error
    console.error(`\n${error.message}`)
    process.exitCode = 1
  }
}
