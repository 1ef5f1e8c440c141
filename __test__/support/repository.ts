import { mkdir, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import type { Settings } from '../../local-hub/index.js'
import { type Content, writeContent } from './content.js'

/** Files by path. */
export type Files = Record<string, Content>

/** Writes a repository into the root of a local hub, and returns its folder. */
export async function writeRepository(
  root: string,
  id: string,
  files: Files,
  settings?: Settings,
): Promise<string> {
  const folder = join(root, id)
  await writeFiles(folder, files)
  if (settings) await writeFile(`${folder}.json`, JSON.stringify(settings))
  return folder
}

/** Writes files into a folder, made if needed: another revision of a repository, for example. */
export async function writeFiles(folder: string, files: Files): Promise<void> {
  await mkdir(folder, { recursive: true })
  for (const [path, content] of Object.entries(files)) {
    const location = join(folder, path)
    await mkdir(dirname(location), { recursive: true })
    await writeContent(location, content)
  }
}

/** A repository shaped like those that transformers.js reads: weights in four dtypes of `size` bytes, and small files. */
export function onnxFiles(size: number): Files {
  const weights = ['model', 'model_fp16', 'model_quantized', 'model_q4'].map((name) => {
    const path = `onnx/${name}.onnx`
    return [path, { size, seed: path }] as const
  })
  return {
    'README.md': '# A test model\n',
    'config.json': '{"model_type":"bert"}\n',
    'tokenizer.json': '{"version":"1.0"}\n',
    'tokenizer_config.json': '{"tokenizer_class":"BertTokenizer"}\n',
    ...Object.fromEntries(weights),
  }
}

/** A repository of GGUF files of `size` bytes, one per name, such as `Q4_K_M`. */
export function ggufFiles(model: string, quants: readonly string[], size: number): Files {
  return Object.fromEntries(
    quants.map((quant) => {
      const path = `${model}-${quant}.gguf`
      return [path, { size, seed: path }]
    }),
  )
}
