import { ModelCache } from '@tabagent/model-cache'
import { createSession } from '@tabagent/model-cache/onnxruntime'
import ort from 'onnxruntime-node'
import type { Loaded } from '../loading.js'
import { HAS_PROCESS_STATUS, memory } from '../process-status.js'
import { printResult, readParameters } from './script.js'

export interface LoadOnnxParameters {
  /** The path that the store gives, or that of the plain file. */
  way: 'stub' | 'path'
  plain: string
  store: string
  endpoint: string
  repo: string
  file: string
  prepacking: boolean
}

type Session = ort.InferenceSession

/** Opening the store is part of it. */
async function load(parameters: LoadOnnxParameters): Promise<Session> {
  const { way, plain, store, endpoint, repo, file, prepacking } = parameters
  const sessionOptions = prepacking ? {} : { extra: { session: { disable_prepacking: '1' } } }
  if (way === 'path') return ort.InferenceSession.create(plain, sessionOptions)
  const cache = await ModelCache.open({ path: store, endpoint, offline: true })
  return createSession(cache, repo, file, { sessionOptions })
}

async function check(session: Session): Promise<void> {
  const tensor = (...values: bigint[]) => new ort.Tensor('int64', BigInt64Array.from(values), [1, 3])
  const { last_hidden_state: hidden } = await session.run({
    input_ids: tensor(101n, 7592n, 102n),
    attention_mask: tensor(1n, 1n, 1n),
    token_type_ids: tensor(0n, 0n, 0n),
  })
  if (!(hidden?.data instanceof Float32Array) || !hidden.data.some((value) => Math.abs(value) > 0.1))
    throw new Error('it computes wrong')
}

async function main(): Promise<void> {
  const parameters = readParameters<LoadOnnxParameters>()
  const before = HAS_PROCESS_STATUS ? memory().anonymous : 0
  const start = performance.now()
  const session = await load(parameters)
  const time = performance.now() - start
  const anonymous = HAS_PROCESS_STATUS ? memory().anonymous - before : 0
  await check(session)
  await session.release()
  printResult<Loaded>({ time, anonymous })
}

await main()
