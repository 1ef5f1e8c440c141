import { resolve } from 'node:path'
import { pathToFileURL } from 'node:url'
import type { TransformersEnvironment } from '@tabagent/model-cache/transformers'
import { ANSWERS } from './known-answers.js'

/** What the tests use of transformers.js. */
export interface Transformers {
  env: TransformersEnvironment
  pipeline(task: string, model: string, options: object): Promise<Extractor>
  AutoConfig: { from_pretrained(model: string, options: object): Promise<Record<string, unknown>> }
  AutoTokenizer: { from_pretrained(model: string): Promise<object> }
  ModelRegistry: {
    is_cached(model: string, options: object): Promise<boolean>
    clear_cache(model: string, options: object): Promise<{ filesDeleted: number }>
  }
}

export interface Extractor {
  (texts: string[], options: object): Promise<{ tolist(): number[][] }>
  dispose(): Promise<void>
}

/** The package of the folder of engines. */
export async function importTransformers(): Promise<Transformers> {
  return (await import(pathToFileURL(resolve('engines/transformers.mjs')).href)) as Transformers
}

/** What a model makes of the known answers' sentences. */
export async function embedAll(extract: Extractor): Promise<Float32Array[]> {
  const output = await extract(ANSWERS.sentences, { pooling: 'mean', normalize: true })
  return output.tolist().map((vector) => Float32Array.from(vector))
}
