import { execFile } from 'node:child_process'
import { mkdir, readdir, readFile, rm, stat, symlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { ModelCache, type Progress } from '@tabagent/model-cache'
import test, { type ExecutionContext } from 'ava'
import { randomBytes } from '../support/content.js'
import { mountDisk } from '../support/disk.js'
import { makeFolder } from '../support/folder.js'
import { onnxFiles } from '../support/repository.js'
import { openStore, REPO } from '../support/store.js'
import { MIB } from './half-way.js'

const run = promisify(execFile)

const SIZE = 3 * MIB + 5
const Q8 = 'onnx/model_quantized.onnx'
const SMALL = ['config.json', 'tokenizer.json', 'tokenizer_config.json']

/** A store with q8 in it, and a folder to export to. */
async function storeQ8(t: ExecutionContext, folder?: string) {
  const root = folder ?? (await makeFolder(t))
  const { cache, hub } = await openStore(t, onnxFiles(SIZE), { path: join(root, 'store') })
  await cache.downloadQuant(REPO, 'q8')
  return { cache, hub, out: join(root, 'out') }
}

/** All files below a folder, by path. */
async function readAll(folder: string): Promise<string[]> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true })
  const files = entries.filter((entry) => !entry.isDirectory())
  return files.map((entry) => join(entry.parentPath, entry.name).slice(folder.length + 1)).sort()
}

test('exportQuant writes every file under its listed path, and reports it', async (t) => {
  const { cache, out } = await storeQ8(t)
  const seen: Progress[] = []
  const { files } = await cache.exportQuant(REPO, 'Q8', out, { onProgress: (p) => seen.push(p) })
  t.deepEqual(files.map(({ path }) => path).sort(), [...SMALL, Q8].sort())
  t.deepEqual(await readAll(out), [...SMALL, Q8].sort(), 'nothing else is left in the folder')
  t.true((await readFile(join(out, Q8))).equals(randomBytes(SIZE, Q8)))
  for (const { path, destination, size } of files) {
    t.is(destination, join(out, path))
    const { mode, size: written } = await stat(destination)
    t.is(mode & 0o777, 0o644 & ~process.umask())
    t.is(written, size)
  }
  const total = files.reduce((sum, { size }) => sum + size, 0)
  t.like(seen.at(-1), { repo: REPO, quant: 'q8', loaded: total, total })
  t.is(seen.filter(({ loaded }) => loaded === total).length, 1)
})

for (const kind of ['xfs', 'btrfs'] as const) {
  test(`on ${kind} a file of 64 KiB or more shares the blocks of the store unless it is to be copied`, async (t) => {
    const disk = await mountDisk(t, kind, 1024)
    if (disk === undefined) {
      t.pass()
      return
    }
    const { cache, out } = await storeQ8(t, disk)
    const { files } = await cache.exportQuant(REPO, 'q8', out, { link: 'reflink' })
    for (const { path, method } of files) t.is(method, path === Q8 ? 'reflink' : 'copy', path)
    const { files: auto } = await cache.exportFile(REPO, Q8, join(disk, 'auto'))
    const { files: copy } = await cache.exportFile(REPO, Q8, join(disk, 'copy'), { link: 'copy' })
    t.deepEqual(
      [...auto, ...copy].map(({ method }) => method),
      ['reflink', 'copy'],
    )
    await cache.removeRepo(REPO)
    for (const path of [join(out, Q8), join(disk, 'auto'), join(disk, 'copy')]) {
      t.true((await readFile(path)).equals(randomBytes(SIZE, Q8)), path)
    }
    await cache.close()
  })
}

test('where blocks cannot be shared, reflink says why and writes nothing; auto copies', async (t) => {
  const disk = await mountDisk(t, 'ext4', 1024)
  if (disk === undefined) {
    t.pass()
    return
  }
  const { cache, out } = await storeQ8(t, disk)
  const destination = join(out, 'model.onnx')
  const error = await t.throwsAsync(cache.exportFile(REPO, Q8, destination, { link: 'reflink' }), {
    code: 'ERR_UNSUPPORTED_FILESYSTEM',
  })
  t.true(error?.message.includes(destination), error?.message)
  t.regex(error?.message ?? '', /file system cannot share/)
  const whole = join(out, 'new')
  await t.throwsAsync(cache.exportQuant(REPO, 'q8', whole, { link: 'reflink' }), {
    code: 'ERR_UNSUPPORTED_FILESYSTEM',
    message: new RegExp(whole),
  })
  await t.throwsAsync(readAll(out), { code: 'ENOENT' }, 'no small file and no folder, either')
  const elsewhere = join(await makeFolder(t), 'model.onnx')
  await t.throwsAsync(cache.exportFile(REPO, Q8, elsewhere, { link: 'reflink' }), {
    message: /different file systems/,
  })
  for (const path of [destination, elsewhere]) {
    const { files } = await cache.exportFile(REPO, Q8, path, { link: 'auto' })
    t.is(files[0]?.method, 'copy')
    t.true((await readFile(path)).equals(randomBytes(SIZE, Q8)))
  }
  await cache.close()
})

test('a file that exists is replaced only when that is wanted', async (t) => {
  const { cache, out } = await storeQ8(t)
  await mkdir(join(out, 'onnx'), { recursive: true })
  await writeFile(join(out, Q8), 'my notes')
  const refused = { code: 'ERR_INVALID_ARGUMENT', message: /model_quantized.onnx exists already/ }
  await t.throwsAsync(cache.exportQuant(REPO, 'q8', out), refused)
  await t.throwsAsync(cache.exportFile(REPO, Q8, join(out, Q8)), refused)
  t.deepEqual(await readAll(out), [Q8], 'nothing was written')
  t.is(await readFile(join(out, Q8), 'utf8'), 'my notes')
  await cache.exportQuant(REPO, 'q8', out, { overwrite: true })
  t.true((await readFile(join(out, Q8))).equals(randomBytes(SIZE, Q8)))
  const folder = { code: 'ERR_INVALID_ARGUMENT', message: /name the file/ }
  await t.throwsAsync(cache.exportFile(REPO, Q8, out, { overwrite: true }), folder)
})

test('what is not stored says what to do', async (t) => {
  const { cache, out } = await storeQ8(t)
  const missing = { code: 'ERR_FILE_NOT_FOUND', message: /download it first/ }
  await t.throwsAsync(cache.exportQuant(REPO, 'q4', out), missing)
  await t.throwsAsync(cache.exportFile(REPO, 'onnx/model_q4.onnx', join(out, 'a')), missing)
  await t.throwsAsync(cache.exportFile(REPO, 'no/such', join(out, 'a')), { code: 'ERR_FILE_NOT_FOUND' })
  await t.throwsAsync(cache.exportQuant(REPO, 'q3', out), { code: 'ERR_QUANT_NOT_FOUND', message: /q8/ })
  await t.throwsAsync(cache.exportQuant('acme/none', 'q8', out), { code: 'ERR_REPO_NOT_FOUND' })
  await t.throwsAsync(cache.exportFile(REPO, Q8, join(cache.path, 'locks', 'a')), {
    code: 'ERR_INVALID_ARGUMENT',
    message: /own folder/,
  })
  await t.throwsAsync(stat(out), { code: 'ENOENT' }, 'nothing was written')
})

test('links below the folder lead nowhere', async (t) => {
  const { cache, out } = await storeQ8(t)
  const outside = await makeFolder(t)
  await mkdir(out)
  await symlink(outside, join(out, 'onnx'))
  const error = await t.throwsAsync(cache.exportQuant(REPO, 'q8', out), { code: 'ERR_IO' })
  t.regex(error?.message ?? '', /out\/onnx.*links are not followed/)
  await writeFile(join(outside, 'notes'), 'my notes')
  await symlink(join(outside, 'notes'), join(out, 'model.onnx'))
  await cache.exportFile(REPO, Q8, join(out, 'model.onnx'), { overwrite: true })
  t.deepEqual(await readAll(outside), ['notes'])
  t.is(await readFile(join(outside, 'notes'), 'utf8'), 'my notes')
  t.true((await readFile(join(out, 'model.onnx'))).equals(randomBytes(SIZE, Q8)))
})

test('an aborted export leaves no file', async (t) => {
  const large = { 'model.gguf': { size: 120 * MIB, seed: 'large' } }
  const { cache } = await openStore(t, large)
  await cache.downloadFile(REPO, 'model.gguf')
  const out = await makeFolder(t)
  const controller = new AbortController()
  const reason = new Error('mine')
  const call = cache.exportFile(REPO, 'model.gguf', join(out, 'a'), {
    signal: controller.signal,
    link: 'copy',
  })
  controller.abort(reason)
  t.is(await t.throwsAsync(call), reason)
  // Waits for what still runs.
  await cache.close()
  t.deepEqual(await readdir(out), [])
})

test('a store that is open read-only can be exported', async (t) => {
  const { cache, out, hub } = await storeQ8(t)
  const { path } = cache
  await cache.close()
  const reader = await ModelCache.open({ path, endpoint: hub.url, readOnly: true })
  t.teardown(() => reader.close())
  await reader.exportQuant(REPO, 'q8', out)
  t.true((await readFile(join(out, Q8))).equals(randomBytes(SIZE, Q8)))
})

/** Lets what is written into one folder be seen in the other too; false where the test may not. */
async function makeOne(t: ExecutionContext, folder: string, other: string): Promise<boolean> {
  await Promise.all([folder, other].map((path) => mkdir(path, { recursive: true })))
  try {
    await run('mount', ['--bind', folder, other])
  } catch {
    t.log('not run: this system does not let the test mount a folder')
    return false
  }
  t.teardown(() => run('umount', ['-l', other]))
  return true
}

test('two files that are one at the destination are not written over each other', async (t) => {
  const [first, second] = ['unet/config.json', 'vae/config.json']
  const weights = ['unet', 'vae'].map((name) => `${name}/diffusion_pytorch_model.safetensors`)
  const { cache } = await openStore(t, {
    'model_index.json': '{}',
    ...{ [first]: '{"a":1}', [second]: '{"b":1}' },
    ...Object.fromEntries(weights.map((path) => [path, { size: SIZE, seed: path }])),
  })
  const [quant = ''] = Object.keys((await cache.scanRepo(REPO)).quants)
  await cache.downloadQuant(REPO, quant)
  const out = await makeFolder(t)
  if (!(await makeOne(t, join(out, 'unet'), join(out, 'vae')))) {
    t.pass()
    return
  }
  for (const overwrite of [false, true]) {
    const refused = cache.exportQuant(REPO, quant, out, { overwrite })
    const error = await t.throwsAsync(refused, { code: 'ERR_INVALID_ARGUMENT' })
    t.regex(error?.message ?? '', /vae\/.* is the same file there as another one of this export/)
    t.is(await readFile(join(out, first), 'utf8'), '{"a":1}')
    for (const path of await readAll(join(out, 'unet'))) await rm(join(out, 'unet', path))
    await rm(join(out, 'model_index.json'), { force: true })
  }
})
