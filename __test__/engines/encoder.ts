import type { ModelCache } from '@tabagent/model-cache'
import { SentenceEncoder } from '../../examples/sentence-encoder.js'
import { ANSWERS, type Dtype } from './known-answers.js'

export const WEIGHTS: Record<Dtype, string> = {
  fp32: 'onnx/model.onnx',
  fp16: 'onnx/model_fp16.onnx',
  q8: 'onnx/model_quantized.onnx',
  q4: 'onnx/model_q4.onnx',
}

/** onnxruntime-node with a model, and the tokenizer of the store. */
export async function openEncoder(cache: ModelCache, model: Uint8Array | string): Promise<SentenceEncoder> {
  using tokenizer = await cache.fetchFile(ANSWERS.repo, 'tokenizer.json')
  using config = await cache.fetchFile(ANSWERS.repo, 'tokenizer_config.json')
  return SentenceEncoder.create(model, await tokenizer.json(), await config.json())
}

/** What a model makes of the known answers' sentences. */
export async function encodeAll(encoder: SentenceEncoder): Promise<Float32Array[]> {
  const vectors: Float32Array[] = []
  for (const sentence of ANSWERS.sentences) vectors.push(await encoder.encode(sentence))
  return vectors
}
