// What it does: bench/engines.ts.
import { bootstrap, runMain } from './bootstrap.mjs'
import { runInteractive } from './command.mjs'
import { installEngines } from './engines.mjs'
import { buildMinilm } from './minilm.mjs'
import { buildWheel } from './python.mjs'

await runMain(async () => {
  await bootstrap()
  await installEngines()
  await buildMinilm()
  await buildWheel()
  return runInteractive(process.execPath, ['build/bench/engines.js', ...process.argv.slice(2)])
})
