import { createHash } from 'node:crypto'
import { join } from 'node:path'
import test from 'ava'
import { randomBytes } from '../../__test__/support/content.js'
import { startHub } from '../../__test__/support/hub.js'
import { onnxFiles, writeFiles } from '../../__test__/support/repository.js'

interface Sibling {
  rfilename: string
  size: number
  blobId: string
  lfs?: { sha256: string; size: number; pointerSize: number }
}

interface Info {
  id: string
  sha: string
  siblings: Sibling[]
}

interface Refs {
  branches: { name: string; ref: string }[]
  tags: { name: string; targetCommit: string }[]
}

const json = async <T = Info>(url: string) => (await (await fetch(url)).json()) as T

test('model info lists every file with size and digest, and what the settings say', async (t) => {
  const settings = { pipeline_tag: 'feature-extraction', tags: ['onnx'], license: 'apache-2.0' }
  const { hub } = await startHub(t, { 'acme/model': { files: onnxFiles(5000), settings } })
  const info = await json(`${hub.url}/api/models/acme/model?blobs=true`)
  t.like(info, {
    id: 'acme/model',
    pipeline_tag: 'feature-extraction',
    tags: ['onnx', 'license:apache-2.0'],
    gated: false,
  })
  t.regex(info.sha, /^[0-9a-f]{40}$/)
  const { siblings } = info
  t.is(siblings.length, 8)
  const sha256 = createHash('sha256').update(randomBytes(5000, 'onnx/model.onnx')).digest('hex')
  const weights = siblings.find((file) => file.rfilename === 'onnx/model.onnx')
  t.like(weights, { size: 5000, lfs: { sha256, size: 5000, pointerSize: 129 } })
  const config = siblings.find((file) => file.rfilename === 'config.json')
  // git hash-object of {"model_type":"bert"} and a newline
  const blob = Buffer.from('blob 22\0{"model_type":"bert"}\n')
  t.deepEqual(config, {
    rfilename: 'config.json',
    size: 22,
    blobId: createHash('sha1').update(blob).digest('hex'),
  })
})

test('without blobs=true the listing has names only', async (t) => {
  const { hub } = await startHub(t, { 'acme/model': { 'a.txt': 'a' } })
  const info = await json(`${hub.url}/api/models/acme/model`)
  t.deepEqual(info.siblings, [{ rfilename: 'a.txt' }])
})

test('the tree comes in pages that lead to each other', async (t) => {
  const files = Object.fromEntries(Array.from({ length: 7 }, (_, n) => [`f${n}.txt`, String(n)]))
  const { hub } = await startHub(t, { 'acme/model': files }, { pageSize: 3 })
  const paths: string[] = []
  const sizes: number[] = []
  let next: string | undefined = `${hub.url}/api/models/acme/model/tree/main?recursive=true`
  while (next) {
    const response: Response = await fetch(next)
    const page = (await response.json()) as { path: string }[]
    sizes.push(page.length)
    paths.push(...page.map((entry) => entry.path))
    next = /<(.*)>; rel="next"/.exec(response.headers.get('link') ?? '')?.[1]
  }
  t.deepEqual(sizes, [3, 3, 1])
  t.deepEqual(paths, Object.keys(files))
})

test('the tree names folders, and stays in the folder that was asked for', async (t) => {
  const { hub } = await startHub(t, { 'acme/model': { 'a/b/c.txt': 'c', 'a/d.txt': 'd', 'e.txt': 'e' } })
  const tree = async (query: string) => {
    const entries = await json<{ type: string; path: string }[]>(
      `${hub.url}/api/models/acme/model/tree/main${query}`,
    )
    return entries.map((entry) => `${entry.type} ${entry.path}`)
  }
  t.deepEqual(await tree('?recursive=true'), [
    'directory a',
    'directory a/b',
    'file a/b/c.txt',
    'file a/d.txt',
    'file e.txt',
  ])
  t.deepEqual(await tree(''), ['directory a', 'file e.txt'])
  t.deepEqual(await tree('/a'), ['directory a/b', 'file a/d.txt'])
  t.is((await fetch(`${hub.url}/api/models/acme/model/tree/main/none`)).status, 404)
})

test('a branch moves to a new commit, and the old commit stays readable', async (t) => {
  const { hub, root } = await startHub(t, { 'acme/model': { 'a.txt': 'old' } })
  const info = () => json(`${hub.url}/api/models/acme/model/revision/main?blobs=true`)
  const before = await info()
  t.is((await info()).sha, before.sha)
  await writeFiles(join(root, '.next'), { 'a.txt': 'new', 'b.txt': 'more' })
  hub.setRevision('acme/model', 'main', join(root, '.next'))
  const after = await info()
  t.not(after.sha, before.sha)
  t.is(after.siblings.length, 2)
  t.is(await (await fetch(`${hub.url}/acme/model/resolve/${before.sha}/a.txt`)).text(), 'old')
  t.is(await (await fetch(`${hub.url}/acme/model/resolve/main/a.txt`)).text(), 'new')
})

test('branches and tags are listed and resolve, encoded or not', async (t) => {
  const settings = { branches: { 'gptq-4bit': 'variants/gptq' }, tagged: { 'v1.0': 'variants/one' } }
  const { hub, root } = await startHub(t, { 'acme/model': { files: { 'a.txt': 'main' }, settings } })
  await writeFiles(join(root, 'variants/gptq'), { 'a.txt': 'gptq' })
  await writeFiles(join(root, 'variants/one'), { 'a.txt': 'one' })
  const refs = await json<Refs>(`${hub.url}/api/models/acme/model/refs`)
  t.deepEqual(
    refs.branches.map((ref) => ref.ref),
    ['refs/heads/main', 'refs/heads/gptq-4bit'],
  )
  t.is(refs.tags[0]?.name, 'v1.0')
  const info = await json(`${hub.url}/api/models/acme/model/revision/refs%2Ftags%2Fv1.0`)
  t.is(refs.tags[0]?.targetCommit, info.sha)
  t.is(await (await fetch(`${hub.url}/acme/model/resolve/gptq-4bit/a.txt`)).text(), 'gptq')
})

test('model info has a weak ETag, and is not sent again to who has it', async (t) => {
  const { hub, root } = await startHub(t, { 'acme/model': { 'config.json': '{}' } })
  const url = `${hub.url}/api/models/acme/model/revision/main?blobs=true`
  const first = await fetch(url)
  const etag = first.headers.get('etag') ?? ''
  t.regex(etag, /^W\/".+"$/)
  await first.arrayBuffer()
  const second = await fetch(url, { headers: { 'if-none-match': etag } })
  t.is(second.status, 304)
  t.is(await second.text(), '')
  t.like(hub.log.records.at(-1), { ifNoneMatch: etag, bytesSent: 0 })
  await writeFiles(join(root, 'acme/model'), { 'config.json': '{"changed":true}' })
  const third = await fetch(url, { headers: { 'if-none-match': etag } })
  t.is(third.status, 200)
  t.not(third.headers.get('etag'), etag)
  await third.arrayBuffer()
})
