// npm start                    the whole job on a trained model, from a Hub on this machine
// npm start -- REPO [QUANT]    scan and download from the real Hub
import { bootstrap, runMain } from './bootstrap.mjs'
import { runInteractive } from './command.mjs'
import { buildMinilm } from './minilm.mjs'

await runMain(async () => {
  const args = process.argv.slice(2)
  await bootstrap()
  if (args.length === 0) await buildMinilm()
  return runInteractive(process.execPath, ['build/examples/start.js', ...args])
})
