// What it does: examples/start.ts.
import { bootstrap, runMain } from './bootstrap.mjs'
import { runInteractive } from './command.mjs'
import { buildMinilm } from './minilm.mjs'

await runMain(async () => {
  const args = process.argv.slice(2)
  await bootstrap()
  if (!args[0]?.includes('/')) await buildMinilm()
  return runInteractive(process.execPath, ['build/examples/start.js', ...args])
})
