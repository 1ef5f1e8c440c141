import { chmodSync, existsSync, rmSync } from 'node:fs'
import { join, relative } from 'node:path'
import { mustRun, ROOT } from './command.mjs'
import { packageProgram } from './node-modules.mjs'
import { exclusively } from './setup-lock.mjs'
import { filesUnder } from './stamp.mjs'

/** Compiles src/ to dist/ and everything else to build/; the compiler itself sees what has changed. */
export function compileTypeScript() {
  return exclusively(runCompiler)
}

async function runCompiler() {
  removeStale('dist', 'src')
  removeStale('build', '.')
  const advice = 'TypeScript did not compile: see the messages above.'
  await mustRun(process.execPath, [packageProgram('typescript/bin/tsc'), '-b', 'tsconfig.test.json'], advice)
  // The compiler makes no file executable, and a tarball keeps the mode; not every installer sets it.
  chmodSync(join(ROOT, 'dist/cli/main.js'), 0o755)
}

/** Removes what was compiled from a source that is gone, so that no test of yesterday runs. */
function removeStale(output, source) {
  const folder = join(ROOT, output)
  if (!existsSync(folder)) return
  for (const file of filesUnder(folder)) {
    const stem = /^(.*?)(\.d\.ts|\.js)(\.map)?$/.exec(relative(folder, file))?.[1]
    if (stem && !existsSync(join(ROOT, source, `${stem}.ts`))) rmSync(file)
  }
}
