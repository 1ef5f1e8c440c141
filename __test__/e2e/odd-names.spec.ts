import { createHash } from 'node:crypto'
import type { FileInfo, Manifest } from '@tabagent/model-cache'
import test from 'ava'
import { openStore, REPO } from '../support/store.js'

const LINE_SEPARATOR = '\u2028'
const PATHS = [
  'say "hello".gguf',
  `line${LINE_SEPARATOR}separated-Q4_K_M.gguf`,
  'brain-🧠-Q8_0.gguf',
  'größe/模型-Q2_K.gguf',
  '__proto__/model-Q5_0.gguf',
  'constructor-Q6_K.gguf',
  '__proto__.json',
  'toString.json',
  'it\'s {"a": [1, null]} <script>.json',
]
const ODD_TEXT = `a "quoted" \\ back\\slashed \u0000\u0001\u001f\u007f\u0085 ${LINE_SEPARATOR} \u{1f9e0} __proto__ text\n`

function bytesOf(path: string): Buffer {
  return Buffer.from(`bytes of ${path}`)
}

test('a manifest has every name, text and digest as they are, whatever letters they have', async (t) => {
  const settings = { tags: [ODD_TEXT, '__proto__', ''], license: ODD_TEXT, git: ['toString.json'] }
  const files = Object.fromEntries(PATHS.map((path) => [path, bytesOf(path)]))
  const { cache } = await openStore(t, files, {}, { settings })
  const scanned = await cache.scanRepo(REPO)
  t.deepEqual(scanned.tags.slice(0, 2), settings.tags.slice(0, 2))
  t.deepEqual(
    filesOf(scanned)
      .map(({ path }) => path)
      .sort(),
    [...PATHS].sort(),
  )
  for (const { path, size, digest } of filesOf(scanned)) {
    t.is(size, bytesOf(path).length, path)
    t.deepEqual(digest, digestOf(path, digest.algorithm), path)
  }
  t.is(filesOf(scanned).find(({ path }) => path === 'toString.json')?.digest.algorithm, 'git-sha1')
})

test('the files of a manifest are those that listFiles makes one by one', async (t) => {
  const { cache } = await openStore(t, Object.fromEntries(PATHS.map((path) => [path, bytesOf(path)])))
  await cache.scanRepo(REPO)
  const half = PATHS.filter((_, place) => place % 2 === 0)
  for (const path of half) await cache.downloadFile(REPO, path)
  const manifest = cache.getManifest(REPO)
  const stored = filesOf(manifest).filter((file) => file.stored)
  t.deepEqual(stored.sort(byPath), cache.listFiles(REPO).sort(byPath))
  t.is(stored.length, half.length)
  for (const quant of Object.values(manifest?.quants ?? {})) {
    t.is(
      quant.size,
      quant.files.reduce((sum, { size }) => sum + size, 0),
    )
    t.true(quant.files.every((file) => filesOf(manifest).includes(file)))
  }
})

test('a quant of any name is a quant of the manifest, and nothing else of it', async (t) => {
  const names = ['__proto__', 'constructor', 'hasOwnProperty', 'say "x"', `x${LINE_SEPARATOR}y`, '🧠']
  const files = Object.fromEntries(names.map((name) => [`${name}.safetensors`, bytesOf(name)]))
  const { cache } = await openStore(t, files)
  const { quants } = await cache.scanRepo(REPO)
  t.is(Object.getPrototypeOf(quants), Object.prototype)
  t.deepEqual(Object.keys(quants).sort(), [...names].sort())
  t.deepEqual(
    Object.keys(quants),
    Object.values(quants).map(({ name }) => name),
  )
  const listed = Object.values(quants).flatMap(({ files: needed }) => needed.map(({ path }) => path))
  t.deepEqual([...new Set(listed)].sort(), Object.keys(files).sort())
})

/** Every file of a manifest once: a file of several quants is one object. */
function filesOf(manifest: Manifest | undefined): FileInfo[] {
  const needed = Object.values(manifest?.quants ?? {}).flatMap(({ files }) => files)
  return [...new Set([...(manifest?.sharedFiles ?? []), ...needed])]
}

function digestOf(path: string, algorithm: FileInfo['digest']['algorithm']): FileInfo['digest'] {
  const bytes = bytesOf(path)
  const git = () => createHash('sha1').update(`blob ${bytes.length}\0`).update(bytes)
  const hash = algorithm === 'sha256' ? createHash('sha256').update(bytes) : git()
  return { algorithm, value: hash.digest('hex') }
}

function byPath(a: FileInfo, b: FileInfo): number {
  return a.path < b.path ? -1 : 1
}
