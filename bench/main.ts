// npm run bench               every measurement (about twelve minutes, 12 GiB of disk)
// npm run bench -- a d        only these
// MODEL_CACHE_BENCH_FILES=1000000 npm run bench -- m    a store of so many files (2 GiB; 100,000 by default)
import { downloadSpeed } from './download.js'
import { downloadMemory } from './download-memory.js'
import { faults } from './faults.js'
import type { Measurement } from './figure.js'
import { importTime } from './import-time.js'
import { largeView } from './large-view.js'
import { manyFiles } from './many-files.js'
import { repair } from './repair.js'
import { runMeasurements } from './run.js'
import { scan } from './scan.js'
import { smallFiles } from './small-files.js'
import { store } from './store.js'
import { throttledDownload } from './throttled-download.js'
import { verify } from './verify.js'
import { writeAmplification } from './written-bytes.js'

const MEASUREMENTS: readonly Measurement[] = [
  largeView,
  scan,
  store,
  downloadSpeed,
  throttledDownload,
  downloadMemory,
  writeAmplification,
  importTime,
  smallFiles,
  faults,
  verify,
  repair,
  manyFiles,
]

await runMeasurements(MEASUREMENTS, process.argv.slice(2))
