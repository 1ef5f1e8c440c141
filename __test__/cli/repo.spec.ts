import test from 'ava'
import { readRepo } from '#dist/cli/repo.js'
import { onnxFiles } from '../support/repository.js'
import { openBench } from './command.js'

const REPO = 'acme/model'

const PASTED: [text: string, read: object][] = [
  ['acme/model', { repo: 'acme/model' }],
  ['bert-base-uncased', { repo: 'bert-base-uncased' }],
  ['https://huggingface.co/acme/model', { repo: 'acme/model' }],
  ['http://www.huggingface.co/acme/model/', { repo: 'acme/model' }],
  ['hf.co/acme/model', { repo: 'acme/model' }],
  ['hf.co/acme/model:Q4_K_M', { repo: 'acme/model', quant: 'Q4_K_M' }],
  ['acme/model:q8', { repo: 'acme/model', quant: 'q8' }],
  ['https://huggingface.co/acme/model/tree/v1.0', { repo: 'acme/model', revision: 'v1.0' }],
  ['https://huggingface.co/acme/model/tree/refs%2Fpr%2F1', { repo: 'acme/model', revision: 'refs/pr/1' }],
  ['https://huggingface.co/acme/model/blob/main/onnx/model.onnx', { repo: 'acme/model', revision: 'main' }],
  ['https://huggingface.co/acme/model?library=onnx#files', { repo: 'acme/model' }],
  ['https://mirror.test/hub/acme/model', { repo: 'acme/model' }],
  // None of them is a repository of models: the library says so.
  ['https://elsewhere.test/acme/model', { repo: 'https://elsewhere.test/acme/model' }],
  ['hf.co/datasets/acme/model', { repo: 'hf.co/datasets/acme/model' }],
]

test('what people paste for a repository is read as what they mean', (t) => {
  for (const [text, read] of PASTED)
    t.deepEqual(readRepo(text, { endpoint: 'https://mirror.test/hub/', quant: true }), read as never, text)
  t.deepEqual(readRepo('acme/model:q8', { quant: false }), { repo: 'acme/model:q8' })
})

test('pull takes a page of the Hub, and a quant behind a colon', async (t) => {
  const bench = await openBench(t, { [REPO]: onnxFiles(100_000) })
  t.regex(await bench.print('pull', `hf.co/${REPO}:q8`), /^acme\/model q8: 4 files/)
  t.regex(await bench.print('scan', `https://huggingface.co/${REPO}/tree/main`), /^acme\/model, main at /)
  t.regex(await bench.print('--endpoint', bench.hub.url, 'ls', `${bench.hub.url}/${REPO}`), /^4 files: /m)
  const { status, stderr } = await bench.run('scan', `${REPO}:q8`)
  t.is(status, 2)
  t.regex(stderr, /repo must be/)
})
