import { execFile } from 'node:child_process'
import { mkdir, symlink } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import test, { type ExecutionContext } from 'ava'
import { makeFolder } from '../../__test__/support/folder.js'

const SCRIPT = fileURLToPath(new URL('../start.js', import.meta.url))
const run = promisify(execFile)

/** A folder of its own for the run, on the model that the project built. */
async function workFolder(t: ExecutionContext): Promise<string> {
  const folder = await makeFolder(t)
  await mkdir(join(folder, '.work'))
  await symlink(resolve('.work/hub'), join(folder, '.work', 'hub'))
  return folder
}

test('the whole job: published similarities, then the same without a request', async (t) => {
  const cwd = await workFolder(t)
  const { stdout } = await run(process.execPath, [SCRIPT], { cwd })
  const similarities = stdout.match(/^similarities: 0\.6660 0\.1046 0\.1411 /gm)
  t.is(similarities?.length, 2, stdout)
  for (const quant of ['fp32', 'fp16', 'q8', 'q4']) t.regex(stdout, new RegExp(`^  ${quant} +onnx `, 'm'))
  t.regex(stdout, /^First run: [1-9]\d* requests, [1-9]\d* bytes fetched/m)
  t.regex(stdout, /^Second run: 0 requests, 0 bytes fetched/m)
  t.regex(stdout, /zero-copy/)
})

test('another quant alone is downloaded, and means nearly the same', async (t) => {
  const cwd = await workFolder(t)
  const { stdout } = await run(process.execPath, [SCRIPT, 'q4'], { cwd })
  const [, first, second, third] = /^similarities: (\S+) (\S+) (\S+)/m.exec(stdout) ?? []
  const near = (text: string | undefined, value: number) => Math.abs(Number(text) - value) < 0.03
  t.true(near(first, 0.6713) && near(second, 0.1157) && near(third, 0.1334), stdout)
  t.regex(stdout, /^opened onnx\/model_q4\.onnx: 54\.5 MB/m)
  t.regex(
    stdout,
    /^ +fp32 +onnx .* available, .* stored$/m,
    'of the other quants only the shared files are stored',
  )
})

test('what is not there is said with its code, and the exit status is 1', async (t) => {
  const cwd = await workFolder(t)
  const error = await t.throwsAsync<Error & { code?: number; stderr?: string }>(
    run(process.execPath, [SCRIPT, 'q5'], { cwd }),
  )
  t.is(error?.code, 1)
  t.regex(error?.stderr ?? '', /^ERR_QUANT_NOT_FOUND: /m)
})
