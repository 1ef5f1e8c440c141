import test from 'ava'
import { ggufFile, safetensorsFile } from '../support/model-file.js'
import { gather, model, rawTensor } from '../support/onnx.js'
import { openBench } from './command.js'

const REPO = 'acme/model'
const FILES = {
  'model.safetensors': safetensorsFile({
    'embed.weight': { dtype: 'BF16', shape: [250, 1000], bytes: 500_000 },
    'norm.weight': { dtype: 'F32', shape: [1000], bytes: 4000 },
  }),
  'model-Q8_0.gguf': ggufFile('llama', 2000, 1000),
  'model.onnx': model([gather('w')], [rawTensor('w', Buffer.alloc(400_000))], ['y_w']),
}

test('inspect shows what a file says of itself before it is downloaded', async (t) => {
  const bench = await openBench(t, { [REPO]: FILES })
  const safetensors = await bench.print('inspect', REPO, 'model.safetensors')
  t.regex(safetensors, /^format: +safetensors$/m)
  t.regex(safetensors, /^parameters: +251,000$/m)
  t.regex(safetensors, /^tensors: +2: 1 BF16, 1 F32$/m)
  t.regex(safetensors, /^format = "pt"$/m)
  const gguf = await bench.print('inspect', REPO, 'model-Q8_0.gguf')
  t.regex(gguf, /^format: +gguf 3$/m)
  t.regex(gguf, /^architecture: +llama$/m)
  t.regex(gguf, /^tokenizer\.ggml\.tokens = 2000 of type string$/m)
  const onnx = await bench.print('inspect', REPO, 'model.onnx')
  t.regex(onnx, /^opsets: +ai\.onnx 17$/m)
  t.regex(onnx, /^inputs: +ids I64\[n\]$/m)
  t.regex(
    await bench.print('ls'),
    /0 quants of 1 repository: 0 B stored, and 196\.6 kB of unfinished downloads/,
  )
})

test('inspect --tensors lists every tensor, and --json is the inspection', async (t) => {
  const bench = await openBench(t, { [REPO]: FILES })
  const lines = (await bench.print('inspect', REPO, 'model.safetensors', '--tensors')).split('\n')
  t.regex(lines[0] ?? '', /^TENSOR +DTYPE +SHAPE +OFFSET +SIZE$/)
  t.regex(lines[1] ?? '', /^embed\.weight +BF16 +\[250, 1000\] +\d+ +500 kB$/)
  const { document, stderr } = await bench.json('inspect', REPO, 'model.safetensors')
  t.like(document, { repo: REPO, path: 'model.safetensors', format: 'safetensors', parameters: 251_000 })
  t.like(document.tensors[1], { name: 'norm.weight', dtype: 'F32', shape: [1000], length: 4000, data: 'raw' })
  t.is(stderr, '')
})

test('inspect of what is no model ends with status 2, of what is not there with 3', async (t) => {
  const bench = await openBench(t, { [REPO]: { ...FILES, 'README.md': '# A model\n' } })
  const refused = await bench.run('inspect', REPO, 'README.md')
  t.is(refused.status, 2)
  t.regex(refused.stderr, /none of safetensors, GGUF and ONNX/)
  t.is((await bench.run('inspect', REPO, 'none.gguf')).status, 3)
})
