import type { Figure, Measurement } from './figure.js'
import { hasPython, runPython } from './python.js'

/** Measured in Python itself, by processes of its own. */
export const pythonModule: Measurement = {
  letter: 'p',
  title: 'views, tensors and import of the Python module',
  async measure(workplace) {
    if (!hasPython()) return []
    return workplace.inNewFolder((folder) => runPython<Figure[]>('figures', { folder }))
  },
}
