import { execFile } from 'node:child_process'
import { readdir, readFile, stat, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { ModelCache } from '@tabagent/model-cache'
import test, { type ExecutionContext } from 'ava'
import { LocalHub } from '../local-hub/index.js'
import { makeFolder } from './support/folder.js'
import { writeRepository } from './support/repository.js'
import { fillStore, REPO } from './support/store.js'

const TOKEN = 'hf_thistokenmustnotbestored'

/** Everything below a folder, links not followed, by its path there. */
async function below(folder: string): Promise<string[]> {
  return (await readdir(folder, { recursive: true })).sort()
}

/** The part of a file that is no hole behind its last byte. */
async function content(location: string): Promise<Buffer> {
  const bytes = await readFile(location)
  let end = bytes.length
  while (end > 0 && bytes[end - 1] === 0) end -= 1
  return bytes.subarray(0, end)
}

const modeOf = async (location: string) => (await stat(location)).mode & 0o777

/** The store and what was made beside it, by a process that forbids nobody anything. */
async function makeWithoutMask(t: ExecutionContext) {
  const root = await makeFolder(t)
  const large = { 'large.gguf': { size: 8 << 20 } }
  await writeRepository(root, REPO, { 'config.json': '{}', 'model.gguf': { size: 300_000 }, ...large })
  const hub = await LocalHub.start({ root, tokens: [TOKEN], throttle: 2 << 20 })
  t.teardown(() => hub.close())
  const folder = await makeFolder(t)
  const script = fileURLToPath(new URL('./support/unmasked-child.js', import.meta.url))
  const killed = promisify(execFile)(process.execPath, [script, folder, hub.url, TOKEN])
  const end = await killed.catch((error: { signal?: string }) => error.signal)
  t.is(end, 'SIGKILL')
  return { folder, hub }
}

/** Where files have the modes of POSIX. */
const posixTest = process.platform === 'win32' ? test.skip : test

posixTest('everything a store has is private to its user, whatever the umask is', async (t) => {
  const { folder } = await makeWithoutMask(t)
  const seen = await below(folder)
  for (const part of ['new/deep/store/locks', 'new/deep/store/model_cache_chunks/mdbx.dat'])
    t.true(seen.includes(part), part)
  // Its process was killed, so its lock files and its journal are there, too.
  t.true(seen.some((name) => name.endsWith('.written')))
  for (const name of seen.filter((path) => path.startsWith('new'))) {
    const isFolder = (await stat(join(folder, name))).isDirectory()
    t.is(await modeOf(join(folder, name)), isFolder ? 0o700 : 0o600, name)
  }
  t.is(await modeOf(join(folder, 'shared')), 0o755, 'who may see a folder that was there is left as it was')
})

posixTest('plain files that an export writes are for whom the umask allows it', async (t) => {
  const { folder } = await makeWithoutMask(t)
  t.is(await modeOf(join(folder, 'exported', 'model.gguf')), 0o644)
})

test('no file of the store has the token or a signature, after a download with them', async (t) => {
  const { folder, hub } = await makeWithoutMask(t)
  const signatures = hub.log.records.flatMap(({ query }) => query.get('Signature') ?? [])
  t.true(signatures.length > 0 && hub.log.records.some(({ authorization }) => authorization))
  for (const name of await below(folder)) {
    if ((await stat(join(folder, name))).isDirectory()) continue
    const bytes = await content(join(folder, name))
    for (const secret of [TOKEN, 'Signature=', ...signatures])
      t.false(bytes.includes(secret), `${name}: ${secret}`)
  }
})

/** Puts other bytes of the same length in the place of some, wherever the records of the store have them. */
async function rewriteRecords(path: string, from: string, to: string): Promise<void> {
  const location = join(path, 'model_cache_manifests', 'mdbx.dat')
  const bytes = await readFile(location)
  for (let at = bytes.indexOf(from); at >= 0; at = bytes.indexOf(from, at + 1)) bytes.write(to, at)
  await writeFile(location, bytes)
}

test('records that somebody edited lead no export out of its folder', async (t) => {
  const { cache, hub, path } = await fillStore(t, { 'aaaa.gguf': 'weights' })
  await cache.close()
  await rewriteRecords(path, 'aaaa.gguf', '../a.gguf')
  const edited = await ModelCache.open({ path, endpoint: hub.url })
  t.teardown(() => edited.close())
  t.true(edited.listFiles(REPO).some((file) => file.path === '../a.gguf'))
  const folder = await makeFolder(t)
  const quant = Object.keys(edited.getManifest(REPO)?.quants ?? {})[0] ?? ''
  await t.throwsAsync(edited.exportQuant(REPO, quant, join(folder, 'in')), { code: 'ERR_INVALID_ARGUMENT' })
  t.deepEqual(
    (await below(folder)).filter((name) => name !== 'in'),
    [],
  )
})

test('an export finds the store by where a folder is, not by how its path is written', async (t) => {
  const { cache, path } = await fillStore(t, { 'model.gguf': 'weights' })
  const before = await below(path)
  for (const inside of ['new/../store', 'store/../store/new', 'store/locks/../x', 'new/deep/../../store']) {
    const folder = `${dirname(path)}/${inside}`
    await t.throwsAsync(cache.exportFile(REPO, 'model.gguf', `${folder}/model.gguf`), {
      code: 'ERR_INVALID_ARGUMENT',
      message: /own folder/,
    })
  }
  t.deepEqual(await below(path), before)
})
