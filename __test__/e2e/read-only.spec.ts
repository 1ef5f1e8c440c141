import { ModelCache } from '@tabagent/model-cache'
import test from 'ava'
import { randomBytes } from '../support/content.js'
import { onnxFiles } from '../support/repository.js'
import { openStore, REPO } from '../support/store.js'

const SIZE = 300_000
const Q8 = 'onnx/model_quantized.onnx'

test('a cache opened read-only changes nothing, also where this process has the store open to write', async (t) => {
  const { cache, hub, path } = await openStore(t, onnxFiles(SIZE))
  await cache.downloadQuant(REPO, 'q8')
  const reader = await ModelCache.open({ path, endpoint: hub.url, readOnly: true })
  t.teardown(() => reader.close())
  const readOnly = { code: 'ERR_READ_ONLY', message: /read-only/ }
  await t.throwsAsync(reader.downloadQuant(REPO, 'q4'), readOnly)
  await t.throwsAsync(reader.removeFile(REPO, Q8), readOnly)
  await t.throwsAsync(reader.removeQuant(REPO, 'q8'), readOnly)
  await t.throwsAsync(reader.removeRepo(REPO), readOnly)
  t.true(reader.getFile(REPO, Q8)?.buffer.equals(randomBytes(SIZE, Q8)))
})
