import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import { randomBytes } from '../support/content.js'
import type { Files } from '../support/repository.js'

/** Where the Hub was when the stores of this folder were written: it is part of every name in them. */
export const PORT = 47811
export const ENDPOINT = `http://127.0.0.1:${PORT}`

export const REPO = 'acme/old'
/** Another spelling, which an alias leads to the repository. */
export const OTHER_NAME = 'Acme/OLD'
export const IMPORTED = 'acme/imported'
/** Has both quants of `FILES`, of which only `q8` was downloaded and `q4` failed. */
export const Q8 = 'onnx/model_quantized.onnx'
export const Q4 = 'onnx/model_q4.onnx'
/** A file of which the beginning was downloaded. */
export const PARTIAL = 'partial.gguf'
export const PARTIAL_SIZE = 9 << 20

export const FILES = {
  'config.json': '{"model_type":"bert"}\n',
  'tokenizer.json': randomBytes(3_000, 'tokenizer'),
  [Q8]: randomBytes(90_000, Q8),
  [Q4]: randomBytes(70_000, Q4),
  [PARTIAL]: { size: PARTIAL_SIZE, seed: PARTIAL },
} satisfies Files

/** What was imported from a cache of huggingface_hub. */
export const IMPORTED_FILES = {
  'config.json': '{"model_type":"gpt2"}\n',
  'model.safetensors': randomBytes(66_000, 'imported'),
} satisfies Files

const run = promisify(execFile)

/** Packs a store that nobody has open; holes stay holes, and libmdbx's lock files are those of one start of one machine. */
export async function pack(folder: string, archive: string): Promise<void> {
  await run('tar', ['--sparse', '--exclude=mdbx.lck', '-czf', archive, '-C', folder, 'store'])
}

/** Unpacks a store into the folder `store` of this one. */
export async function unpack(archive: string, folder: string): Promise<void> {
  await run('tar', ['-xzf', archive, '-C', folder])
}
