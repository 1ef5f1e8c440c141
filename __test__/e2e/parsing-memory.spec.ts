import { join } from 'node:path'
import test, { type ExecutionContext } from 'ava'
import { makeFolder } from '../support/folder.js'
import { startHub } from '../support/hub.js'
import { safetensorsFile } from '../support/model-file.js'
import { type Files, ggufFiles } from '../support/repository.js'
import { REPO } from '../support/store.js'
import { CacheProcess } from './cache-process.js'
import { MIB } from './half-way.js'

/** Bytes of the part of a document that nobody needs. */
const SIZE = 24 * MIB
const ZEROS = Array.from({ length: SIZE / 2 }, () => 0)
const TEXTS = Array.from({ length: SIZE / 3 }, () => '')
const KEYS = Array.from({ length: SIZE / 24 }, (_, key) => [key, ''])

/** A process with an open cache, and how much its memory has grown at most since its first scan. */
async function openProcess(t: ExecutionContext, files: Files) {
  const { hub } = await startHub(t, { [REPO]: files })
  const path = join(await makeFolder(t), 'store')
  const process = await CacheProcess.open(t, { path, endpoint: hub.url, retries: 0 })
  await process.call('scanRepo', REPO)
  const before = await process.peakMemory()
  const grown = async () => (await process.peakMemory()) - before
  /** The listing has these fields instead of its own. */
  const list = (fields: object) => {
    hub.fault = ({ path }) =>
      path.includes('/revision/') ? { edit: (body) => ({ ...(body as object), ...fields }) } : undefined
  }
  return { process, grown, list }
}

test('what a listing has besides, and nobody reads, takes little more memory than its bytes', async (t) => {
  const { process, grown, list } = await openProcess(t, ggufFiles('m', ['Q8_0'], 1000))
  for (const fields of [
    { cardData: ZEROS, pipeline_tag: ZEROS, id: { a: ZEROS.slice(0, 1000) } },
    { cardData: { license: 'mit', other: ZEROS } },
    { config: { quantization_config: { bits: ZEROS, other: ZEROS.slice(0, 1000) } } },
    { safetensors: { parameters: { BF16: 1, F32: ZEROS } } },
    { tags: TEXTS },
    { library_name: 'x'.repeat(SIZE) },
    { unheardOf: ZEROS },
  ]) {
    list(fields)
    const { quants } = await process.call('scanRepo', REPO, { refresh: true })
    t.deepEqual(Object.keys(quants), ['Q8_0'])
  }
  const most = await grown()
  t.true(most < 8 * SIZE, `${(most / SIZE).toFixed(1)} bytes of memory per byte`)
})

test('a listing of more files than any repository has is refused before it fills the memory', async (t) => {
  const { process, grown, list } = await openProcess(t, ggufFiles('m', ['Q8_0'], 1000))
  list({ siblings: Array.from({ length: 5_000_000 }, () => ({})) })
  await t.throwsAsync(process.call('scanRepo', REPO, { refresh: true }), { code: 'ERR_HTTP' })
  const most = await grown()
  t.true(most < 600 * MIB, `${Math.round(most / MIB)} MiB`)
})

test('what the header of a safetensors file has besides takes little more memory than its bytes', async (t) => {
  const tensor = { dtype: 'F32', shape: [1], bytes: 4, other: ZEROS }
  const { process, grown } = await openProcess(t, {
    'unread.safetensors': safetensorsFile({ w: tensor }),
    'shape.safetensors': safetensorsFile({ w: { ...tensor, other: [], shape: ZEROS } }),
    'texts.safetensors': safetensorsFile({ w: tensor }, Object.fromEntries(KEYS)),
  })
  const { tensors } = await process.call('inspect', REPO, 'unread.safetensors')
  t.like(tensors, [{ name: 'w', shape: [1], length: 4 }])
  for (const path of ['shape.safetensors', 'texts.safetensors'])
    await t.throwsAsync(process.call('inspect', REPO, path), { code: 'ERR_INVALID_ARGUMENT' })
  const most = await grown()
  t.true(most < 8 * SIZE, `${(most / SIZE).toFixed(1)} bytes of memory per byte`)
})
