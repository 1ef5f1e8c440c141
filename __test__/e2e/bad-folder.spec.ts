import { chmod, copyFile, mkdir, open, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { ModelCache } from '@tabagent/model-cache'
import test from 'ava'
import { randomBytes } from '../support/content.js'
import { makeFolder } from '../support/folder.js'
import { onnxFiles } from '../support/repository.js'
import { openStore, REPO } from '../support/store.js'
import { CacheProcess } from './cache-process.js'
import { MIB } from './half-way.js'

const SIZE = MIB
const PATH = 'onnx/model_quantized.onnx'

/** A store with a quant in it that no process has open. */
async function leaveStore(t: Parameters<typeof openStore>[0]) {
  const { cache, hub, path } = await openStore(t, onnxFiles(SIZE))
  await cache.downloadQuant(REPO, 'q8')
  await cache.close()
  // The way to it is open to all, which that of a new temporary folder is not.
  await chmod(dirname(path), 0o755)
  const options = { path, endpoint: hub.url }
  /** In a process of its own: what this one has mapped must not help. */
  const intact = async () => {
    const reader = await CacheProcess.open(t, options)
    const digest = await reader.digest(REPO, PATH)
    await reader.child.kill()
    return digest
  }
  return { path, options, intact, digest: await intact() }
}

/** A process that the permissions of files bind, whoever runs the tests. */
async function startNobody(t: Parameters<typeof openStore>[0]): Promise<CacheProcess> {
  const started = new CacheProcess(t)
  // Loads the addon while it still may read it.
  await started.open({ path: join(await makeFolder(t), 'scratch') })
  await started.call('close')
  if (process.getuid?.() === 0) await started.child.call('becomeNobody')
  return started
}

/** Takes the right to write from a folder and all that is in it, until the test ends. */
async function protect(t: Parameters<typeof openStore>[0], folder: string): Promise<void> {
  const inside = await readdir(folder, { recursive: true, withFileTypes: true })
  const entries = inside.map((entry) => ({
    path: join(entry.parentPath, entry.name),
    folder: entry.isDirectory(),
  }))
  const setModes = async (folderMode: number, fileMode: number) => {
    await chmod(folder, folderMode)
    for (const entry of entries) await chmod(entry.path, entry.folder ? folderMode : fileMode)
  }
  t.teardown(() => setModes(0o755, 0o644))
  await setModes(0o555, 0o444)
}

test('a folder that cannot be written: its path and what to do', async (t) => {
  const { path, options, intact, digest } = await leaveStore(t)
  await protect(t, path)
  const nobody = await startNobody(t)
  const error = await t.throwsAsync(nobody.open(options), { code: 'ERR_READ_ONLY' })
  t.true(error?.message.includes(path), error?.message)
  t.regex(error?.message ?? '', /readOnly|permission|choose/i)
  t.is(await intact(), digest)
})

test('a store is not made where the folder above cannot be written', async (t) => {
  const parent = await makeFolder(t)
  await protect(t, parent)
  const nobody = await startNobody(t)
  const path = join(parent, 'store')
  const error = await t.throwsAsync(nobody.open({ path }), { code: 'ERR_READ_ONLY' })
  t.true(error?.message.includes(path), error?.message)
  t.deepEqual(await readdir(parent), [])
})

test('a store that is opened read-only is read, and nothing else', async (t) => {
  const { options, intact, digest } = await leaveStore(t)
  const reader = await CacheProcess.open(t, { ...options, readOnly: true })
  t.is(await reader.digest(REPO, PATH), digest)
  const readOnly = { code: 'ERR_READ_ONLY', message: /read-only/ }
  await t.throwsAsync(reader.call('downloadQuant', REPO, 'q4'), readOnly)
  await t.throwsAsync(reader.call('removeFile', REPO, PATH), readOnly)
  await t.throwsAsync(reader.call('removeRepo', REPO), readOnly)
  t.is((await reader.call('downloadQuant', REPO, 'q8')).quants['q8']?.status, 'downloaded')
  t.is(await intact(), digest)
})

test('a store is not made by opening it read-only', async (t) => {
  const parent = await makeFolder(t)
  const path = join(parent, 'none')
  const error = await t.throwsAsync(ModelCache.open({ path, readOnly: true }))
  t.true(error?.message.includes(path), error?.message)
  t.deepEqual(await readdir(parent), [])
})

test('a file in place of the folder stays as it is', async (t) => {
  const path = join(await makeFolder(t), 'store')
  await writeFile(path, 'my notes')
  const error = await t.throwsAsync(ModelCache.open({ path }), { code: 'ERR_IO' })
  t.true(error?.message.includes(path), error?.message)
  t.is(await readFile(path, 'utf8'), 'my notes')
})

test('a file in place of a part of the store stays as it is', async (t) => {
  const { path, options, digest } = await leaveStore(t)
  await rm(join(path, 'locks'), { recursive: true })
  await writeFile(join(path, 'locks'), 'my notes')
  const other = new CacheProcess(t)
  const open = async () => {
    await other.open(options)
    t.is(await other.digest(REPO, PATH), digest, 'what is stored can be read')
    await other.call('downloadQuant', REPO, 'q4')
  }
  const error = await t.throwsAsync(open(), { code: 'ERR_IO' })
  t.true(error?.message.includes(path), error?.message)
  t.is(await readFile(join(path, 'locks'), 'utf8'), 'my notes')
})

test('a store of a newer format is refused and left alone', async (t) => {
  const { path, options, intact, digest } = await leaveStore(t)
  const location = join(path, 'model_cache_manifests', 'mdbx.dat')
  await replaceFile(location, withFormat(await readFile(location), 1, 2))
  const error = await t.throwsAsync(new CacheProcess(t).open(options), { code: 'ERR_VERSION_MISMATCH' })
  t.true(error?.message.includes(path), error?.message)
  t.regex(error?.message ?? '', /format 2.*upgrade/)
  await replaceFile(location, withFormat(await readFile(location), 2, 1))
  t.is(await intact(), digest, 'what is stored is all there')
})

for (const part of ['model_cache_manifests', 'model_cache_chunks']) {
  test(`a store with damaged ${part} fails with a code and never takes the process with it`, async (t) => {
    const { path, options } = await leaveStore(t)
    const location = join(path, part, 'mdbx.dat')
    await copyFile(location, `${location}.new`)
    const copy = await open(`${location}.new`, 'r+')
    await copy.write(randomBytes(MIB / 4, 'damage'), 0, MIB / 4, 0)
    await copy.close()
    await rename(`${location}.new`, location)
    const reader = new CacheProcess(t)
    const error = await t.throwsAsync<Error & { code?: string }>(reader.open(options))
    t.true(['ERR_CORRUPT', 'ERR_VERSION_MISMATCH', 'ERR_IO'].includes(error?.code ?? ''), error?.message)
    t.true(error?.message.includes(path), error?.message)
    await mkdir(join(path, 'elsewhere'))
    await t.notThrowsAsync(reader.open({ path: join(path, 'elsewhere') }), 'the process goes on')
  })
}

/** Puts another format into the format record: its key, its schema, and the format as a 32-bit number. */
function withFormat(store: Buffer, found: number, wanted: number): Buffer {
  const record = (format: number) => Buffer.from([...Buffer.from('format'), 1, format, 0, 0, 0])
  if (!store.includes(record(found))) throw new Error(`the store has no record of format ${found}`)
  const changed = Buffer.from(store)
  for (let at = changed.indexOf(record(found)); at >= 0; at = changed.indexOf(record(found), at + 1)) {
    record(wanted).copy(changed, at)
  }
  return changed
}

/** Another file takes the place of the old one, which a process may still have mapped. */
async function replaceFile(location: string, content: Buffer): Promise<void> {
  await writeFile(`${location}.new`, content)
  await rename(`${location}.new`, location)
}
