import { bootstrap, runMain } from './bootstrap.mjs'
import { runInteractive } from './command.mjs'
import { installPeers } from './peers.mjs'

await runMain(async () => {
  await bootstrap()
  await installPeers()
  return runInteractive(process.execPath, ['--expose-gc', 'build/bench/main.js', ...process.argv.slice(2)])
})
