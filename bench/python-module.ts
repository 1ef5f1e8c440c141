import { join } from 'node:path'
import { ROOT, runProgram } from './child-process.js'
import type { Figure, Measurement } from './figure.js'

/** The environment that the tests of the wheel make. */
const PYTHON = join(
  ROOT,
  '.work',
  'python',
  process.platform === 'win32' ? 'Scripts/python.exe' : 'bin/python',
)

/** Measured in Python itself, by processes of its own. */
export const pythonModule: Measurement = {
  letter: 'p',
  title: 'views, tensors and import of the Python module',
  measure: (workplace) =>
    workplace.inNewFolder(async (folder) => {
      const script = join(ROOT, 'bench', 'python', 'figures.py')
      const { output } = await runProgram(process.env['MODEL_CACHE_BENCH_PYTHON'] ?? PYTHON, [script, folder])
      const figures: (Omit<Figure, 'bound'> & { bound: number | null })[] = JSON.parse(output)
      return figures.map(({ bound, ...figure }) => (bound === null ? figure : { ...figure, bound }))
    }),
}
