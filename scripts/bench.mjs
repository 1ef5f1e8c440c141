import { bootstrap, runMain } from './bootstrap.mjs'
import { runInteractive } from './command.mjs'

await runMain(async () => {
  await bootstrap()
  return runInteractive(process.execPath, ['--expose-gc', 'build/bench/main.js', ...process.argv.slice(2)])
})
