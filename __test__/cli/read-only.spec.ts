import { execFile } from 'node:child_process'
import { chmod, readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import test, { type ExecutionContext } from 'ava'
import { onnxFiles } from '../support/repository.js'
import { ended, openBench } from './command.js'

const execute = promisify(execFile)
const unixTest = process.platform === 'win32' ? test.skip : test
const REPO = 'acme/model'
const PATH = 'onnx/model_quantized.onnx'

/** Lets nobody write below a folder until the test ends; false, and says so, where this system does not let the test. */
async function freeze(t: ExecutionContext, folder: string): Promise<boolean> {
  if (process.getuid?.() !== 0) return setModes(t, folder)
  try {
    await execute('mount', ['--bind', folder, folder])
    t.teardown(() => execute('umount', ['-l', folder]))
    await execute('mount', ['-o', 'remount,ro,bind', folder])
    return true
  } catch {
    t.log('not run: this system does not let the test mount a folder read-only')
    return false
  }
}

async function setModes(t: ExecutionContext, folder: string): Promise<boolean> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true })
  const all = [folder, ...entries.map((entry) => join(entry.parentPath, entry.name))]
  const folders = new Set([
    folder,
    ...entries.filter((one) => one.isDirectory()).map((one) => join(one.parentPath, one.name)),
  ])
  const change = async (ofFolder: number, ofFile: number) => {
    for (const path of all) await chmod(path, folders.has(path) ? ofFolder : ofFile)
  }
  t.teardown(() => change(0o755, 0o644))
  await change(0o555, 0o444)
  return true
}

unixTest('where the store cannot be written, what only reads it works and says so', async (t) => {
  const bench = await openBench(t, { [REPO]: onnxFiles(300_000) })
  await bench.print('pull', REPO, '-q', 'q8')
  const listed = await bench.print('ls')
  if (!(await freeze(t, bench.store))) {
    t.pass()
    return
  }
  const { status, stdout, stderr } = await bench.run('ls')
  t.deepEqual([status, stdout], [0, listed], stderr)
  t.is(stderr, 'The store cannot be written here: it is only read.\n')
  t.is(await bench.print('cat', REPO, 'config.json'), '{"model_type":"bert"}\n')
  t.regex(await bench.print('verify', REPO), /all is intact/)
  t.regex(await bench.print('info'), /^quants: +1 complete$/m)
  t.regex(await bench.print('scan', REPO, '--offline'), /^q8 .* stored/m)
  const plain = `${bench.store}-plain`
  t.teardown(() => execute('rm', ['-r', plain]))
  t.is((await bench.print('export', REPO, plain)).trim().split('\n').length, 4)
  for (const words of [
    ['rm', REPO],
    ['pull', REPO, '-q', 'q4'],
    ['path', REPO, PATH],
  ]) {
    const refused = await ended(bench.start(words))
    t.is(refused.status, 1, words.join(' '))
    t.regex(refused.stderr, /^ERR_READ_ONLY: .*cannot be written/m)
  }
})
