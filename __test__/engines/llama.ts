import { resolve } from 'node:path'
import { pathToFileURL } from 'node:url'
import type { ExecutionContext } from 'ava'

/** The generated model that the project builds. */
export const LLAMA = 'acme/chain-llama-GGUF'

/** What it answers as F16: the first numbers of an embedding, computed by an independent program. */
export const EMBEDDING = {
  text: 'the model cache',
  first: [-0.0023, 0.0005, 0.0378, 0.0077, 0.0172, -0.0073, 0.0386, -0.0286],
  tolerance: 0.001,
}

/** The words it recites. */
export const RECITED = {
  /** "the" */
  prompt: [262],
  text: 'model cache keeps every weight on disk once and shares it with all engines without any',
}

/** What the tests use of node-llama-cpp. */
interface Engine {
  getLlama(options: { gpu: false; build: 'never'; logLevel: 'error'; maxThreads: number }): Promise<Llama>
  LlamaCompletion: new (options: {
    contextSequence: unknown
  }) => {
    generateCompletion(tokens: number[], options: { maxTokens: number; temperature: number }): Promise<string>
  }
}

interface Llama {
  loadModel(options: { modelPath: string }): Promise<LlamaModel>
  dispose(): Promise<void>
}

interface LlamaModel {
  createEmbeddingContext(options: { contextSize: number }): Promise<{
    getEmbeddingFor(text: string): Promise<{ vector: readonly number[] }>
    dispose(): Promise<void>
  }>
  createContext(options: {
    contextSize: number
  }): Promise<{ getSequence(): unknown; dispose(): Promise<void> }>
  dispose(): Promise<void>
}

const ENGINE = pathToFileURL(resolve('engines/node_modules/node-llama-cpp/dist/index.js')).href

/** Loads a model into node-llama-cpp, which takes a path and nothing else. */
export async function loadLlama(t: ExecutionContext, modelPath: string) {
  const engine = (await import(ENGINE)) as Engine
  // Several threads wait for each other by spinning, which takes for ever on a busy machine.
  const llama = await engine.getLlama({ gpu: false, build: 'never', logLevel: 'error', maxThreads: 1 })
  t.teardown(() => llama.dispose())
  const model = await llama.loadModel({ modelPath })
  return {
    /** Of length 1. */
    async embed(text: string): Promise<readonly number[]> {
      const context = await model.createEmbeddingContext({ contextSize: 64 })
      const { vector } = await context.getEmbeddingFor(text)
      await context.dispose()
      const length = Math.hypot(...vector)
      return vector.map((value) => value / length)
    },
    async complete(tokens: number[], maxTokens: number): Promise<string> {
      const context = await model.createContext({ contextSize: 64 })
      const completion = new engine.LlamaCompletion({ contextSequence: context.getSequence() })
      const text = await completion.generateCompletion(tokens, { maxTokens, temperature: 0 })
      await context.dispose()
      return text
    },
  }
}

/** The largest difference of the first numbers to what they should be. */
export function distance(vector: readonly number[], expected: readonly number[]): number {
  return Math.max(...expected.map((value, place) => Math.abs(value - (vector[place] ?? Number.NaN))))
}
