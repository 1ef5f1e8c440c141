// npm run bench:engines            what engines gain from the store
// npm run bench:engines -- t       only these measurements
import type { Measurement } from './figure.js'
import { loadOnnxRuntime } from './load-onnxruntime.js'
import { loadPythonOnnxRuntime } from './load-python-onnxruntime.js'
import { loadTransformers } from './load-transformers.js'
import { pythonModule } from './python-module.js'
import { runMeasurements } from './run.js'

const MEASUREMENTS: readonly Measurement[] = [
  loadTransformers,
  loadOnnxRuntime,
  loadPythonOnnxRuntime,
  pythonModule,
]

await runMeasurements(MEASUREMENTS, process.argv.slice(2))
