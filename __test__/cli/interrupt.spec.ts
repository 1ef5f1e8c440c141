import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import test, { type ExecutionContext } from 'ava'
import { cdnBytes, holdAt, MIB, SLACK } from '../e2e/half-way.js'
import { ggufFiles } from '../support/repository.js'
import { type Bench, ended, openBench } from './command.js'
import { HAS_TERMINALS } from './terminal.js'

const REPO = 'acme/model'
const SIZE = 64 * MIB
const HALF = SIZE / 2
const FILES = ggufFiles('m', ['Q4_K_M', 'Q8_0'], SIZE)
const PULL = ['pull', REPO, '-q', 'Q4_K_M']

/** Types the command that the message names, and expects that it fetches only what is missing. */
async function expectResume(t: ExecutionContext, bench: Bench, message: string): Promise<void> {
  const [, command = ''] = /^ {2}model-cache (pull .*)$/m.exec(message) ?? []
  t.is(command, PULL.join(' '))
  bench.hub.fault = undefined
  bench.hub.log.clear()
  const { status, stderr } = await bench.run(...command.split(' '))
  t.is(status, 0, stderr)
  t.true(cdnBytes(bench.hub) <= HALF + SLACK, `${cdnBytes(bench.hub)} bytes`)
  t.regex(stderr, /Ready: 33\.5 MB downloaded/)
}

const terminalTest = HAS_TERMINALS ? test : test.skip

terminalTest('Ctrl-C keeps what came and says how to go on; that fetches only what is missing', async (t) => {
  const bench = await openBench(t, { [REPO]: FILES })
  holdAt(bench.hub, HALF)
  const terminal = bench.terminal(PULL)
  await terminal.waitFor(/50% {2}33\.5 of 67\.1 MB/)
  terminal.type('\u0003')
  t.is(await terminal.status, 130)
  t.regex(terminal.text, /Stopped\.\n {2}Kept: 33\.5 of 67\.1 MB\. To go on from there:\n/)
  t.true(
    terminal.screen.lastIndexOf('\u001b[?25h') > terminal.screen.lastIndexOf('\u001b[?25l'),
    'the cursor is back',
  )
  await expectResume(t, bench, terminal.text)
})

const HAS_BASH = HAS_TERMINALS && spawnSync('bash', ['-c', 'exit']).status === 0
const shellTest = HAS_BASH ? test : test.skip

shellTest('Ctrl-Z leaves the terminal as it was, and fg goes on with the bars', async (t) => {
  const bench = await openBench(t, { [REPO]: FILES })
  const held = holdAt(bench.hub, HALF)
  const terminal = bench.shell()
  terminal.type(`"$NODE" "$PROGRAM" ${PULL.join(' ')}\r`)
  await terminal.waitFor(/50% {2}33\.5 of 67\.1 MB/)
  terminal.type('\u001a')
  await terminal.waitFor(/\[1\]\+ +Stopped/)
  for (const [on, off] of [
    ['\u001b[?25h', '\u001b[?25l'],
    ['\u001b[?7h', '\u001b[?7l'],
  ] as const) {
    t.true(terminal.screen.lastIndexOf(on) > terminal.screen.lastIndexOf(off), JSON.stringify(on))
  }
  const before = terminal.text.length
  terminal.type('fg\r')
  await terminal.waitFor(new RegExp(`^.{${before},}50% {2}33\\.5 of 67\\.1 MB`, 's'))
  held.open()
  await terminal.waitFor(/Ready: 67\.1 MB downloaded/)
  terminal.type('exit\r')
  t.is(await terminal.status, 0)
})

for (const [signal, status] of [
  ['SIGINT', 130],
  ['SIGTERM', 143],
] as const) {
  test(`${signal} without a terminal: the same, with status ${status}`, async (t) => {
    const bench = await openBench(t, { [REPO]: FILES })
    holdAt(bench.hub, HALF)
    const child = bench.start([...PULL, '--json'])
    let stderr = ''
    child.stderr.setEncoding('utf8').on('data', (piece: string) => {
      stderr += piece
      // The last whole line is the newest.
      const line = stderr.trimEnd().split('\n').at(-1) ?? ''
      if (line.includes(`"loaded":${HALF}`)) child.kill(signal)
    })
    const { status: found, stdout } = await ended(child)
    t.is(found, status)
    const { error } = JSON.parse(stdout)
    t.is(error.code, 'ERR_INTERRUPTED')
    await expectResume(t, bench, `  ${error.hint.split('\n').at(-1)}`)
  })
}

const NEVER_ENDS = `
  import { Interrupt } from '#dist/cli/interrupt.js'
  const interrupt = new Interrupt()
  interrupt.listen()
  interrupt.happened.catch(() => console.log('stopping'))
  setInterval(() => {}, 1000)
  console.log('running')`

test('a second Ctrl-C ends at once what does not end by itself', async (t) => {
  const child = spawn(process.execPath, ['--input-type=module', '-e', NEVER_ENDS])
  t.teardown(() => child.kill('SIGKILL'))
  const closed = once(child, 'close')
  const lines: string[] = []
  for await (const line of createInterface({ input: child.stdout })) {
    lines.push(line)
    child.kill('SIGINT')
  }
  t.deepEqual(lines, ['running', 'stopping'])
  t.deepEqual(await closed, [130, null])
})

test('the command to go on repeats the options, quoted for the shell, and never the token', async (t) => {
  const bench = await openBench(t, { [REPO]: FILES }, { tokens: ['hf_secret'] })
  holdAt(bench.hub, HALF)
  const folder = `${bench.store}/it's a folder`
  const options = [
    '--cache-dir',
    folder,
    '--token',
    'hf_secret',
    '--revision',
    'main',
    '--limit-rate',
    '1MB/s',
  ]
  const child = bench.start([...PULL, ...options])
  child.stderr.once('data', () => child.kill('SIGINT'))
  const { status, stderr } = await ended(child)
  t.is(status, 130)
  t.false(stderr.includes('hf_secret'))
  t.true(
    stderr.includes(
      `pull ${REPO} -q Q4_K_M --limit-rate 1000000 --revision main --cache-dir '${bench.store}/it'\\''s a folder' --token TOKEN\n`,
    ),
  )
})

test('--limit-rate holds a download back', async (t) => {
  const bench = await openBench(t, { [REPO]: FILES })
  const child = bench.start([...PULL, '--limit-rate', '100kB', '--json'])
  const stop = ended(child)
  // Without the limit all bytes would be here before so many reports.
  let reports = 0
  for await (const line of createInterface({ input: child.stderr })) {
    if (JSON.parse(line).progress.loaded > 0) reports += 1
    if (reports === 5) child.kill('SIGINT')
  }
  t.is((await stop).status, 130)
  t.true(cdnBytes(bench.hub) < HALF, `${cdnBytes(bench.hub)} bytes`)
})

test('a lost network says the same', async (t) => {
  const bench = await openBench(t, { [REPO]: FILES })
  await bench.print('scan', REPO)
  holdAt(bench.hub, HALF)
  const child = bench.start(PULL)
  child.stderr.once('data', () => bench.hub.close())
  const { status, stderr } = await ended(child)
  t.is(status, 1)
  t.regex(stderr, /^ERR_NETWORK: /m)
  t.true(stderr.includes(`To go on from there:\n  model-cache ${PULL.join(' ')}\n`), stderr)
})
