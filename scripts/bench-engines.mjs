// What it does: bench/engines.ts.
import { bootstrap, runMain } from './bootstrap.mjs'
import { runInteractive, say } from './command.mjs'
import { installEngines } from './engines.mjs'
import { buildMinilm } from './minilm.mjs'
import { buildWheel, whyNoPython } from './python.mjs'

await runMain(async () => {
  await bootstrap()
  await installEngines()
  await buildMinilm()
  const why = whyNoPython()
  if (why) say(`the rows of Python are left out: ${why}`)
  else await buildWheel()
  return runInteractive(process.execPath, ['build/bench/engines.js', ...process.argv.slice(2)])
})
