import { join } from 'node:path'
import type { Measurement } from './figure.js'
import { compare, fill, type Loaded, MODEL } from './loading.js'
import { hasPython, runPython } from './python.js'

export const loadPythonOnnxRuntime: Measurement = {
  letter: 'o',
  title: 'onnxruntime of Python: a plain file, and the store',
  async measure(workplace) {
    if (!hasPython()) return []
    return workplace.inNewFolder(async (store) => {
      const endpoint = await fill(store, [MODEL.path])
      const load = (way: 'stub' | 'path', prepacking: boolean) => () =>
        runPython<Loaded>('load_onnx', {
          ...{ way, prepacking, store, endpoint, repo: MODEL.repo, file: MODEL.path },
          plain: join(MODEL.hub, MODEL.repo, MODEL.path),
        })
      const both = (prepacking: boolean) => ({
        store: load('stub', prepacking),
        own: load('path', prepacking),
      })
      const without = { time: 0.25, anonymous: 0.1 }
      return [
        ...(await compare('InferenceSession(stub / path), no prepacking', without, both(false))),
        ...(await compare('the same with prepacking', { time: 1, anonymous: 1 }, both(true))),
      ]
    })
  },
}
