// What it does: examples/start.ts.
import { bootstrap, runMain } from './bootstrap.mjs'
import { runInteractive } from './command.mjs'
import { buildMinilm } from './minilm.mjs'

await runMain(async () => {
  const args = process.argv.slice(2)
  await bootstrap()
  const needsModel = !/^-|\//.test(args[0] ?? '')
  if (needsModel) await buildMinilm()
  return runInteractive(process.execPath, ['build/examples/start.js', ...args])
})
