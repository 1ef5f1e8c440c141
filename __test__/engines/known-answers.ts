import { readFileSync } from 'node:fs'
import type { ExecutionContext } from 'ava'
import { similarity } from '../../examples/sentence-encoder.js'

/** What any engine must compute from intact weights of the trained model; Python tests read the same file. */
export const ANSWERS = JSON.parse(readFileSync('examples/minilm/known-answers.json', 'utf8')) as {
  repo: string
  sentences: string[]
  embedding: { numbers: number[]; tolerance: number }
  similarities: Record<Dtype, { values: number[]; tolerance: number }>
}

export type Dtype = 'fp32' | 'fp16' | 'q8' | 'q4'
export const DTYPES: readonly Dtype[] = ['fp32', 'fp16', 'q8', 'q4']

/** How far the vectors of the three sentences are from what they should be, in tolerances: at most 1 is right. */
export function distance(dtype: Dtype, vectors: readonly Float32Array[]): number {
  const [a, b, c] = vectors
  if (!a || !b || !c) return Infinity
  const { values, tolerance } = ANSWERS.similarities[dtype]
  const found = [similarity(a, b), similarity(a, c), similarity(b, c)]
  const errors = values.map((value, at) => Math.abs(value - (found[at] ?? Number.NaN)) / tolerance)
  return Math.max(...errors, dtype === 'fp32' ? embeddingError(a) : 0)
}

function embeddingError(vector: Float32Array): number {
  const { numbers, tolerance } = ANSWERS.embedding
  return Math.max(...numbers.map((value, at) => Math.abs(value - (vector[at] ?? Number.NaN)) / tolerance))
}

export function expectAnswers(t: ExecutionContext, dtype: Dtype, vectors: readonly Float32Array[]): void {
  const found = distance(dtype, vectors)
  t.true(found <= 1, `${dtype}: ${found} tolerances away`)
}
