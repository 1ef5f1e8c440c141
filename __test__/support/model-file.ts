import { randomBytes } from './content.js'

/** A safetensors file of tensors with random bytes: names, dtypes, shapes, how many bytes, and what else to say. */
export function safetensorsFile(
  tensors: Record<string, { dtype: string; shape: number[]; bytes: number; [other: string]: unknown }>,
  metadata: Record<string, string> = { format: 'pt' },
): Buffer {
  let end = 0
  const entries = Object.entries(tensors).map(([name, { bytes, ...entry }]) => {
    const start = end
    end += bytes
    return [name, { ...entry, data_offsets: [start, end] }] as const
  })
  const document = Buffer.from(JSON.stringify({ __metadata__: metadata, ...Object.fromEntries(entries) }))
  return Buffer.concat([u64(document.length), document, randomBytes(end, 'safetensors')])
}

/**
 * A GGUF file of an architecture, with a vocabulary of `tokens` and two tensors of 256 by `rows` numbers in Q8_0. With
 * `fileType` it says at the end of its keys which mixture of types it is, as a quantized file does.
 */
export function ggufFile(architecture: string, tokens: number, rows: number, fileType?: number): Buffer {
  const vocabulary = Array.from({ length: tokens }, (_, token) => text(`token ${token}`))
  const bytes = (256 / 32) * 34 * rows
  const head = Buffer.concat([
    ...[Buffer.from('GGUF'), u32(3), u64(2), u64(fileType === undefined ? 3 : 4)],
    ...[text('general.architecture'), u32(8), text(architecture)],
    ...[text('llama.context_length'), u32(4), u32(4096)],
    ...[text('tokenizer.ggml.tokens'), u32(9), u32(8), u64(tokens), ...vocabulary],
    ...(fileType === undefined ? [] : [text('general.file_type'), u32(4), u32(fileType)]),
    ...[text('token_embd.weight'), u32(2), u64(256), u64(rows), u32(8), u64(0)],
    ...[text('output.weight'), u32(2), u64(256), u64(rows), u32(8), u64(bytes)],
  ])
  const gap = Buffer.alloc((32 - (head.length % 32)) % 32)
  return Buffer.concat([head, gap, randomBytes(2 * bytes, 'gguf')])
}

function u32(value: number): Buffer {
  const bytes = Buffer.alloc(4)
  bytes.writeUInt32LE(value)
  return bytes
}

function u64(value: number): Buffer {
  const bytes = Buffer.alloc(8)
  bytes.writeBigUInt64LE(BigInt(value))
  return bytes
}

const text = (value: string) => Buffer.concat([u64(Buffer.byteLength(value)), Buffer.from(value)])
