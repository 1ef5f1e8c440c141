// cargo with libclang found:  npm run cargo -- test -p tabagent-storage
import { runMain } from './bootstrap.mjs'
import { run } from './command.mjs'
import { libclangEnvironment } from './libclang.mjs'

await runMain(async () => {
  const { status } = await run('cargo', process.argv.slice(2), { env: await libclangEnvironment() })
  return status
})
