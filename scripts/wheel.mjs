// npm run wheel    the wheel of the Python module, into wheels/
import { join } from 'node:path'
import { runMain } from './bootstrap.mjs'
import { ROOT } from './command.mjs'
import { writeWheel } from './python.mjs'
import { checkToolchain } from './toolchain.mjs'

await runMain(async () => {
  checkToolchain()
  await writeWheel(join(ROOT, 'wheels'))
  return 0
})
