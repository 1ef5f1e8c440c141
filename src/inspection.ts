import { checkSignal, type Schema } from './argument.js'
import type { NativeInspection } from './binding.js'
import { type RevisionOptions, revisionSchema } from './options.js'

/** Options of {@link ModelCache.inspect}. */
export interface InspectOptions extends RevisionOptions {
  /** Ends this call with `signal.reason` at once. */
  signal?: AbortSignal
}

/** One tensor of a model file. */
export interface TensorInfo {
  name: string
  /** Size of each dimension, outermost first in all formats (GGUF files list them the other way round); `[]` for one number. */
  shape: number[]
  /** Type of its numbers: `F32`, `F16`, `BF16`, `I64`, `BOOL`, `F8_E4M3`, ... as in safetensors, `Q4_K`, ... as in GGUF. */
  dtype: string
  /** First byte in the file. */
  offset: number
  /** Bytes; of external weights 0 where the model does not say how many. */
  length: number
  /**
   * What lies there: its numbers, little-endian (`raw`); the same, but in the file `location` (`external`); or its protobuf
   * message, in which the numbers are encoded one by one (`encoded`: small tensors of ONNX).
   */
  data: 'raw' | 'external' | 'encoded'
  /** The file that `offset` is meant of, relative to the folder of the model; only of external weights. */
  location?: string
}

/** An input or output of an ONNX graph. */
export interface GraphPort {
  name: string
  /** As of a tensor; `SEQUENCE`, `MAP` or `OPTIONAL` for what is no tensor. */
  dtype: string
  /** Outermost first; a name, which may be empty, stands for any size. */
  shape: (number | string)[]
}

/** A value of a model's metadata. */
export type MetadataValue = string | number | boolean | MetadataValue[] | { type: string; length: number }

/** What a model file says of itself. */
export interface Inspection {
  /** The name the endpoint gives the repository. */
  repo: string
  /** Path within the repository. */
  path: string
  /** The commit it belongs to. */
  commit: string
  /** Bytes of the whole file. */
  size: number
  format: 'safetensors' | 'gguf' | 'onnx'
  /** Version of the format: of GGUF its own, of ONNX the `ir_version`. */
  version?: number
  /** Such as `llama`; only of GGUF. */
  architecture?: string
  /** Program that wrote it, such as `pytorch 2.6.0`; only of ONNX. */
  producer?: string
  /** Numbers in all tensors. Where several are packed into one (GPTQ, AWQ), that counts as one. */
  parameters: number
  /** In the order of their bytes in safetensors, else in that of the file; of ONNX also those of subgraphs and `Constant` nodes. */
  tensors: TensorInfo[]
  /**
   * What else the file says, by key: `__metadata__` of safetensors, all keys of GGUF, `metadata_props` of ONNX. Of an array with
   * more than 1024 values (a vocabulary) only `{ type: 'string' | 'number', length }`. Whole numbers past 2^53 are rounded.
   */
  metadata: Record<string, MetadataValue>
  /** Only of ONNX. */
  graph?: {
    /** Version of each set of operators, by domain; the standard one is `ai.onnx`. */
    opsets: Record<string, number>
    /** Without those that only name weights. */
    inputs: GraphPort[]
    outputs: GraphPort[]
  }
}

export const inspectSchema: Schema<InspectOptions> = { ...revisionSchema, signal: checkSignal }

/** The addon hands the metadata over as JSON, and lists what is looked up by name. */
export function toInspection(native: NativeInspection): Inspection {
  const { metadata, graph, ...rest } = native
  const byDomain = graph?.opsets.map(({ domain, version }) => [domain, version] as const)
  return {
    ...rest,
    metadata: JSON.parse(metadata),
    ...(graph && { graph: { ...graph, opsets: Object.fromEntries(byDomain ?? []) } }),
  }
}
