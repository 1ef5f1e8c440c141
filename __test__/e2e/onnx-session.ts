import ort from 'onnxruntime-node'

/** The bytes of every output of a session, by name. */
export type Outputs = Record<string, Buffer>

/** Runs a session and returns its outputs bit by bit. */
export async function outputsOf(
  session: ort.InferenceSession,
  feeds: Record<string, ort.Tensor>,
): Promise<Outputs> {
  const results = await session.run(feeds)
  return Object.fromEntries(
    Object.entries(results).map(([name, { data }]) => {
      const { buffer, byteOffset, byteLength } = data as Float32Array
      return [name, Buffer.from(buffer, byteOffset, byteLength)]
    }),
  )
}

/** Loads the model at a path, runs it once and lets it go. */
export async function runModel(path: string, feeds: Record<string, ort.Tensor>): Promise<Outputs> {
  const session = await ort.InferenceSession.create(path)
  try {
    return await outputsOf(session, feeds)
  } finally {
    await session.release()
  }
}

/** The input `ids` of the models of `support/onnx.ts`: every row of weights of so many elements. */
export function everyRow(length: number): Record<string, ort.Tensor> {
  const ids = BigInt64Array.from({ length }, (_, index) => BigInt(index))
  return { ids: new ort.Tensor('int64', ids, [length]) }
}

/** The input `choice`. */
export function choose(value: boolean): Record<string, ort.Tensor> {
  return { choice: new ort.Tensor('bool', [value], []) }
}

/** Inputs of a BERT-like model. */
export function tokens(...ids: number[]): Record<string, ort.Tensor> {
  const tensor = (values: number[]) =>
    new ort.Tensor('int64', BigInt64Array.from(values, BigInt), [1, values.length])
  return {
    input_ids: tensor(ids),
    attention_mask: tensor(ids.map(() => 1)),
    token_type_ids: tensor(ids.map(() => 0)),
  }
}
