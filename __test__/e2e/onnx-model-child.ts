import { ModelCache, type OnnxModel, type OpenOptions } from '@tabagent/model-cache'
import { serveCommands } from '../support/child-commands.js'
import { everyRow, runModel } from './onnx-session.js'

let cache: ModelCache | undefined
let model: OnnxModel | undefined

serveCommands({
  async load(options: OpenOptions, repo: string, path: string) {
    cache = await ModelCache.open(options)
    model = await cache.onnxModel(repo, path)
    return model.modelPath
  },
  run: (rows: number) => runModel(model?.modelPath ?? '', everyRow(rows)),
  close: () => model?.close(),
})
