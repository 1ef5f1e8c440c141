import { Tokenizer } from '@huggingface/tokenizers'
import ort from 'onnxruntime-node'

/** Turns sentences into unit vectors with a BERT-like ONNX model: mean over the tokens, then length 1. */
export class SentenceEncoder {
  readonly #session: ort.InferenceSession
  readonly #tokenizer: Tokenizer

  /** `model` holds the bytes of the .onnx file or its path, the other two the parsed files of the same names. */
  static async create(
    model: Uint8Array | string,
    tokenizer: object,
    tokenizerConfig: object,
  ): Promise<SentenceEncoder> {
    const { InferenceSession } = ort
    const session = await (typeof model === 'string'
      ? InferenceSession.create(model)
      : InferenceSession.create(model))
    return new SentenceEncoder(session, new Tokenizer(tokenizer, tokenizerConfig))
  }

  private constructor(session: ort.InferenceSession, tokenizer: Tokenizer) {
    this.#session = session
    this.#tokenizer = tokenizer
  }

  /** The tokens that the model is given, by number. */
  tokenize(sentence: string): number[] {
    return this.#tokenizer.encode(sentence).ids
  }

  async encode(sentence: string): Promise<Float32Array> {
    const ids = this.tokenize(sentence)
    const tensor = (values: readonly number[]) =>
      new ort.Tensor('int64', BigInt64Array.from(values, BigInt), [1, values.length])
    const { last_hidden_state: hidden } = await this.#session.run({
      input_ids: tensor(ids),
      attention_mask: tensor(ids.map(() => 1)),
      token_type_ids: tensor(ids.map(() => 0)),
    })
    if (!(hidden?.data instanceof Float32Array)) throw new Error('the model has no float32 last_hidden_state')
    return normalize(mean(hidden.data, ids.length))
  }

  async release(): Promise<void> {
    await this.#session.release()
  }
}

/** Cosine of the angle between two vectors of length 1. */
export function similarity(a: Float32Array, b: Float32Array): number {
  return a.reduce((sum, value, index) => sum + value * (b[index] ?? 0), 0)
}

function mean(hidden: Float32Array, tokens: number): Float32Array {
  const size = hidden.length / tokens
  return Float32Array.from({ length: size }, (_, column) => {
    let sum = 0
    for (let at = column; at < hidden.length; at += size) sum += hidden[at] ?? 0
    return sum / tokens
  })
}

function normalize(vector: Float32Array): Float32Array {
  const length = Math.hypot(...vector)
  return vector.map((value) => value / length)
}
