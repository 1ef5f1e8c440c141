import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { mustRun, ROOT, say } from './command.mjs'
import { HUB_ROOT } from './minilm.mjs'
import { exclusively } from './setup-lock.mjs'
import { installRequirements, VENV_PYTHON } from './virtual-env.mjs'

/** Builds the repository of the generated llama if it is not there (220 MB). */
export function buildLlama() {
  return exclusively(async () => {
    if (!existsSync(join(HUB_ROOT, 'acme', 'chain-llama-GGUF.json'))) await runBuilder()
  })
}

async function runBuilder() {
  const folder = join(ROOT, 'examples', 'llama')
  await installRequirements(join(folder, 'requirements.txt'), 'the example llama (gguf; some seconds)')
  say('building the example llama acme/chain-llama-GGUF')
  const advice = 'The example llama could not be built: see the messages above.'
  await mustRun(VENV_PYTHON, [join(folder, 'build_repo.py'), HUB_ROOT], advice)
}
