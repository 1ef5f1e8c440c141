import { execFile, spawn } from 'node:child_process'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import test from 'ava'
import { cdnBytes, holdAt, MIB, SLACK } from '../e2e/half-way.js'
import { randomBytes } from '../support/content.js'
import { startHub } from '../support/hub.js'
import { installPacked, npm } from '../support/packed.js'
import { ggufFiles } from '../support/repository.js'
import { ended } from './command.js'

const execute = promisify(execFile)
const unixTest = process.platform === 'win32' ? test.skip : test
const REPO = 'acme/model'
const PATH = 'm-Q4_K_M.gguf'
const SIZE = 64 * MIB
const HALF = SIZE / 2

unixTest(
  'from the packed tarball in an empty folder: pull, interrupt, resume, list, export, remove',
  async (t) => {
    const { hub } = await startHub(t, { [REPO]: ggufFiles('m', ['Q4_K_M', 'Q8_0'], SIZE) })
    const cwd = await installPacked(t)
    const env = {
      ...process.env,
      HF_ENDPOINT: hub.url,
      MODEL_CACHE_DIR: 'store',
      HF_HOME: cwd,
      npm_command: '',
    }
    const program = join(cwd, 'node_modules', '.bin', 'model-cache')
    const command = async (...args: string[]) => (await execute(program, args, { cwd, env })).stdout

    const listed = await execute(
      npm()[0],
      [...npm().slice(1), 'exec', '--offline', '--', 'model-cache', 'scan', REPO],
      {
        cwd,
        env,
      },
    )
    t.regex(listed.stdout, /^Q4_K_M +gguf +67\.1 MB +not stored/m)
    t.regex(
      listed.stderr,
      /npx @tabagent\/model-cache pull acme\/model -q QUANT/,
      'the command as it was started',
    )

    holdAt(hub, HALF)
    const pull = spawn(program, ['pull', REPO, '-q', 'Q4_K_M', '--json'], { cwd, env })
    t.teardown(() => pull.kill('SIGKILL'))
    pull.stderr.on('data', (piece: Buffer) => {
      if (piece.toString().includes(`"loaded":${HALF}`)) pull.kill('SIGINT')
    })
    t.is((await ended(pull)).status, 130)

    hub.fault = undefined
    hub.log.clear()
    t.is(await command('pull', REPO, '-q', 'Q4_K_M'), `${REPO} Q4_K_M: 1 file, 67.1 MB\n  ${PATH}\n`)
    t.true(cdnBytes(hub) <= HALF + SLACK, `${cdnBytes(hub)} bytes`)

    t.regex(await command('ls'), /^acme\/model +main +Q4_K_M +67\.1 MB +stored$/m)
    t.is(await command('export', REPO, 'plain'), `${join(cwd, 'plain', PATH)}\n`)
    t.true((await readFile(join(cwd, 'plain', PATH))).equals(randomBytes(SIZE, PATH)))
    t.regex(await command('rm', REPO), /^acme\/model: 1 file removed, 6\d(\.\d)? MB given back to the disk$/m)
    t.regex(await command('ls'), /^0 quants of 0 repositories: 0 B stored/)
  },
)
