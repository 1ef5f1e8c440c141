import { join } from 'node:path'
import type { LoadOnnxParameters } from './child/load-onnx.js'
import { runScript } from './child-process.js'
import type { Figure, Measurement } from './figure.js'
import { compare, fill, type Loaded, MODEL } from './loading.js'

const VARIANTS = {
  fp32: 'onnx/model.onnx',
  fp16: 'onnx/model_fp16.onnx',
  q8: 'onnx/model_quantized.onnx',
  q4: 'onnx/model_q4.onnx',
}

export const loadOnnxRuntime: Measurement = {
  letter: 'n',
  title: 'onnxruntime-node: plain files, and the store',
  measure: (workplace) =>
    workplace.inNewFolder(async (store) => {
      const endpoint = await fill(store, Object.values(VARIANTS))
      const load = (way: LoadOnnxParameters['way'], file: string, prepacking: boolean) => async () => {
        const plain = join(MODEL.hub, MODEL.repo, file)
        const parameters = { way, prepacking, plain, store, endpoint, repo: MODEL.repo, file }
        return (await runScript<LoadOnnxParameters, Loaded>('load-onnx', parameters)).result
      }
      const figures: Figure[] = []
      for (const [name, file] of Object.entries(VARIANTS)) {
        for (const prepacking of [true, false]) {
          const ways = { store: load('stub', file, prepacking), own: load('path', file, prepacking) }
          const what = `${name}: stub / path${prepacking ? '' : ', no prepacking'}`
          figures.push(...(await compare(what, { anonymous: 1 }, ways)))
        }
      }
      return figures
    }),
}
