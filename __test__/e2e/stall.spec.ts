import test, { type ExecutionContext } from 'ava'
import type { FaultHook, RequestRecord } from '../../local-hub/index.js'
import { randomBytes } from '../support/content.js'
import { openStore, openStored, REPO } from '../support/store.js'
import { cdnBytes, MIB } from './half-way.js'

const SIZE = 128 * MIB
const PATH = 'model.gguf'
/** Nothing times out and no failure is forgiven: without the rescue the test would never end. */
const RESCUE_ONLY = { stallTimeout: 3_600_000, retries: 0 }

/** The first request to the storage origin that asks for the byte in the middle of the file goes wrong. */
function onceInTheMiddle(goWrong: (before: number) => ReturnType<FaultHook>): FaultHook {
  let done = false
  return ({ origin, range }: RequestRecord) => {
    const [, first, last] = /^bytes=(\d+)-(\d+)$/.exec(range ?? '') ?? []
    const before = SIZE / 2 - Number(first)
    if (origin !== 'cdn' || done || before < 0 || Number(last) < SIZE / 2) return undefined
    done = true
    return goWrong(before)
  }
}

async function expectRescue(t: ExecutionContext, fault: FaultHook, connections: number): Promise<void> {
  const files = { [PATH]: { size: SIZE, seed: PATH } }
  const { cache, hub } = await openStore(t, files, { ...RESCUE_ONLY, connections })
  hub.fault = fault
  await cache.downloadFile(REPO, PATH)
  t.true(openStored(cache, PATH).buffer.equals(randomBytes(SIZE, PATH)))
  // With several, a busy machine takes work from the slowest: what is on its way to that one, up to a full socket, is lost.
  const most = connections === 1 ? 1.01 : 1.1
  t.true(cdnBytes(hub) <= most * SIZE, `${cdnBytes(hub)} of ${SIZE} bytes`)
}

for (const connections of [1, 8]) {
  test(`a body that stalls in the middle is continued elsewhere, ${connections} at most`, (t) =>
    expectRescue(
      t,
      onceInTheMiddle((before) => ({ stallAfter: before })),
      connections,
    ))
}

test('so is an answer that never begins', (t) =>
  expectRescue(
    t,
    onceInTheMiddle(() => ({ hold: new Promise(() => {}) })),
    8,
  ))
