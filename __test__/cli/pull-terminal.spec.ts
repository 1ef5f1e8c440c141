import anyTest from 'ava'
import { holdAt, MIB } from '../e2e/half-way.js'
import { ggufFiles } from '../support/repository.js'
import { openBench } from './command.js'
import { HAS_TERMINALS } from './terminal.js'

const test = HAS_TERMINALS ? anyTest : anyTest.skip
const REPO = 'acme/model'
const SIZE = 8 * MIB
const SHARDS = Object.fromEntries(
  [1, 2, 3].map((shard) => {
    const path = `model-0000${shard}-of-00003.safetensors`
    return [path, { size: SIZE, seed: path }]
  }),
)
const GGUF = ggufFiles('m', ['Q4_K_M', 'Q8_0'], 300_000)

test('one bar for the whole and one for each file in motion, and none is left at the end', async (t) => {
  const bench = await openBench(t, { [REPO]: SHARDS })
  const held = holdAt(bench.hub, SIZE / 2)
  const terminal = bench.terminal(['pull', REPO])
  await terminal.waitFor(/acme\/model model +\u2588+\u2591+ +50% {2}12\.5 of 25\.1 MB/)
  for (const shard of [1, 2, 3]) {
    await terminal.waitFor(new RegExp(` model ${shard}/3 +\u2588+\u2591+ +50% +4\\.1 of 8\\.3 MB`))
  }
  held.open()
  t.is(await terminal.status, 0)
  // What comes after the bars were cleared.
  const rest = terminal.screen.slice(terminal.screen.lastIndexOf('\u001b[0J'))
  t.regex(rest, /acme\/model model: 3 files, 25\.1 MB.*Ready: 25\.1 MB downloaded/s)
  t.notRegex(rest, /[\u2588\u2591]/)
  t.true(
    terminal.screen.lastIndexOf('\u001b[?25h') > terminal.screen.lastIndexOf('\u001b[?25l'),
    'the cursor is back',
  )
})

test('rate and remaining time are shown while bytes come', async (t) => {
  const bench = await openBench(t, { [REPO]: SHARDS }, { throttle: 4_000_000 })
  const terminal = bench.terminal(['pull', REPO])
  await terminal.waitFor(/ of 25\.1 MB {2}[\d.]+ [kM]B\/s {2}\d:\d\d left/)
  t.is(await terminal.status, 0)
})

test('no line is wider than a narrow terminal, and the bars are still there', async (t) => {
  const bench = await openBench(t, { [REPO]: SHARDS })
  const held = holdAt(bench.hub, SIZE / 2)
  const terminal = bench.terminal(['pull', REPO], { columns: 40 })
  await terminal.waitFor(/model 1\/3 +\u2588+\u2591+ +50%/)
  held.open()
  t.is(await terminal.status, 0)
  t.true(terminal.widest <= 40, `${terminal.widest}`)
})

test('a terminal whose size nobody set is taken for one of 80 columns and 24 lines', async (t) => {
  const bench = await openBench(t, { [REPO]: SHARDS })
  const held = holdAt(bench.hub, SIZE / 2)
  const terminal = bench.terminal(['pull', REPO], { columns: 0, rows: 0 })
  await terminal.waitFor(/acme\/model model +\u2588+\u2591+ +50% {2}12\.5 of 25\.1 MB/)
  await terminal.waitFor(/ model 1\/3 +\u2588+\u2591+ +50%/)
  held.open()
  t.is(await terminal.status, 0)
  t.regex(terminal.text, /^Ready: 25\.1 MB downloaded in /m)
})

test('a terminal of few lines shows as many files as fit, and counts the others', async (t) => {
  const bench = await openBench(t, { [REPO]: SHARDS })
  const held = holdAt(bench.hub, SIZE / 2)
  const terminal = bench.terminal(['pull', REPO], { rows: 4, columns: 120 })
  await terminal.waitFor(/2 more files/)
  held.open()
  t.is(await terminal.status, 0)
  // Which of them has the line depends on which comes first; two never have one at a time.
  t.notRegex(terminal.text, /^ +model \d\/3((?!acme).)*\n +model \d\/3/m)
})

test('several quants: the choice is explained and asked for, by number or name', async (t) => {
  const bench = await openBench(t, { [REPO]: GGUF })
  const terminal = bench.terminal(['pull', REPO])
  await terminal.waitFor(
    /has 2 quants\.\nA quant is.*1 +Q4_K_M +gguf +300 kB +not stored.*2 +Q8_0 .*none: $/s,
  )
  terminal.type('7\r')
  await terminal.waitFor(/Not one of them: 7\nWhich one\?.*none: $/s)
  terminal.type('q4_k_m, 2\r')
  t.is(await terminal.status, 0)
  t.regex(terminal.text, /acme\/model Q4_K_M: 1 file.*acme\/model Q8_0: 1 file/s)
})

test('no answer is no download', async (t) => {
  for (const key of ['\r', '\u0004']) {
    const bench = await openBench(t, { [REPO]: GGUF })
    const terminal = bench.terminal(['pull', REPO])
    await terminal.waitFor(/none: $/)
    terminal.type(key)
    t.is(await terminal.status, 1)
    t.regex(terminal.text, /none: \n+Nothing was downloaded\.\n$/)
  }
})

test('Ctrl-C at the question ends the command', async (t) => {
  const bench = await openBench(t, { [REPO]: GGUF })
  const terminal = bench.terminal(['pull', REPO])
  await terminal.waitFor(/none: $/)
  terminal.type('\u0003')
  t.is(await terminal.status, 130)
})

test('with --json or --quiet nobody is asked', async (t) => {
  const bench = await openBench(t, { [REPO]: GGUF })
  const json = bench.terminal(['pull', REPO, '--json'])
  t.is(await json.status, 2)
  t.deepEqual(
    JSON.parse(json.text).error.quants.map(({ name }: { name: string }) => name),
    ['Q4_K_M', 'Q8_0'],
  )
  t.is(await bench.terminal(['pull', REPO, '--quiet']).status, 2)
})

test('colours on a terminal, none with NO_COLOR, and neither colours nor bars on a dumb one', async (t) => {
  const bench = await openBench(t, { [REPO]: GGUF })
  const run = async (environment: NodeJS.ProcessEnv, seen = /acme/) => {
    await bench.run('rm', REPO)
    // A bar is first drawn a tenth of a second after the first report: the download must not be over by then.
    const held = holdAt(bench.hub, 0)
    const terminal = bench.terminal(['pull', REPO, '-q', 'Q8_0'], {}, environment)
    await terminal.waitFor(seen)
    held.open()
    t.is(await terminal.status, 0)
    return terminal.screen
  }
  const BAR = /[\u2588\u2591]/
  const COLOR = '\u001b[32mReady'
  t.true((await run({}, BAR)).includes(COLOR))
  t.false((await run({ NO_COLOR: '1' }, BAR)).includes(COLOR), 'bars are no colours')
  t.false((await run({ TERM: 'dumb' })).includes('\u001b'))
})
