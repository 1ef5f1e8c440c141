export { ModelCache } from './cache.js'
export { CachedFile, type Extent } from './cached-file.js'
export { type ErrorCode, type ErrorFields, errorCodes, isModelCacheError, ModelCacheError } from './errors.js'
export type { ExportOptions, ExportReport } from './export.js'
export type { ImportedFile, ImportOptions, ImportReport } from './import.js'
export type { GraphPort, Inspection, InspectOptions, MetadataValue, TensorInfo } from './inspection.js'
export type { Digest, FileInfo, Manifest, Quant } from './manifest.js'
export { OnnxModel, type OnnxModelOptions } from './onnx-model.js'
export type { OpenOptions, ProxyOptions } from './open-options.js'
export type {
  DownloadOptions,
  GetOptions,
  PruneOptions,
  RangeOptions,
  RevisionOptions,
  ScanOptions,
  VerifyOptions,
  WatchOptions,
} from './options.js'
export { type MaterializeOptions, type PlainFile, PlainFiles } from './plain-files.js'
export type { FileProgress, Progress } from './progress.js'
export type { CacheStats, PruneReport, RemoveReport, VerifyReport } from './report.js'
