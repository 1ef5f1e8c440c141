import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { childEnvironment, ROOT, runProgram } from './child-process.js'

/** The environment that has the wheel; `MODEL_CACHE_BENCH_PYTHON` names another one. */
const PYTHON =
  process.env['MODEL_CACHE_BENCH_PYTHON'] ??
  join(ROOT, '.work', 'python', process.platform === 'win32' ? 'Scripts/python.exe' : 'bin/python')

/** Whether Python is measured here; says so when it is not. */
export function hasPython(): boolean {
  const found = existsSync(PYTHON)
  if (!found) console.error('    the Python module is not built here: its rows are left out')
  return found
}

/** Runs a script of bench/python in a process of its own, and returns the JSON value it prints. */
export async function runPython<R>(name: string, parameters: object): Promise<R> {
  const script = join(ROOT, 'bench', 'python', `${name}.py`)
  const { output } = await runProgram(PYTHON, [script, JSON.stringify(parameters)], {
    env: childEnvironment(),
  })
  return JSON.parse(output) as R
}
