// npm run stress                              the long forms of what npm test does in short (hours)
// npm run stress -- store downloads           only these parts
// npm run stress -- --kills 5000 --seed 7     options: --seed, --kills, --cases, --gib, --seconds, --steps
import { statfs } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { parseArgs } from 'node:util'
import { bootstrap, runMain } from './bootstrap.mjs'
import { run, StepError, say } from './command.mjs'
import { libclangEnvironment } from './libclang.mjs'
import { packageProgram } from './node-modules.mjs'
import { buildWheel, testPythonFile } from './python.mjs'
import { countAva, countCargo, countPytest } from './test-count.mjs'

const OPTIONS = {
  seed: { type: 'string', default: String(Date.now() % 1_000_000) },
  kills: { type: 'string', default: '1000' },
  cases: { type: 'string', default: '500' },
  gib: { type: 'string', default: '20' },
  seconds: { type: 'string', default: '300' },
  steps: { type: 'string', default: '3000' },
}

const GIB = 2 ** 30

/** Room on the disk beside what a part stores, in GiB. */
const SPARE = 4

const cargo = async (env, ...args) =>
  run('cargo', ['test', '--release', '-p', 'tabagent-storage', ...args, '--nocapture'], {
    env: { ...(await libclangEnvironment()), ...env },
  })
const ava = (env, file) =>
  run(process.execPath, [packageProgram('ava/entrypoints/cli.mjs'), `build/__test__/e2e/${file}.spec.js`], {
    env,
  })

/** What is run: its output has the lines `counts: ...` that are shown in the end. */
const PARTS = {
  store: {
    what: 'processes that store, remove and punch are killed',
    count: countCargo,
    run: ({ kills }, env) =>
      cargo({ ...env, MODEL_CACHE_STRESS_KILLS: kills }, '--lib', '--', 'tests::walk::processes'),
  },
  model: {
    what: 'random operations against a plain map',
    count: countCargo,
    run: ({ cases, seed }, env) =>
      cargo({ ...env, PROPTEST_CASES: cases, PROPTEST_RNG_SEED: seed }, '--test', 'model', '--'),
  },
  space: {
    what: 'most of a full store is removed',
    count: countCargo,
    without: ({ gib }) => whyNoRoom(Number(gib)),
    run: ({ gib }, env) =>
      cargo({ ...env, MODEL_CACHE_STRESS_FILL: String(gib * 1024) }, '--lib', '--', 'tests::space::most'),
  },
  anything: {
    what: 'processes that do anything are killed',
    count: countAva,
    run: ({ kills }, env) => ava({ ...env, MODEL_CACHE_STRESS_KILLS: kills }, 'kill-anything'),
  },
  downloads: {
    what: 'processes are killed during downloads',
    count: countAva,
    run: ({ kills, seed }) => ava({ MODEL_CACHE_KILLS: kills, MODEL_CACHE_KILLS_SEED: seed }, 'kills'),
  },
  disk: {
    what: 'a disk fills up at any moment',
    count: countAva,
    run: ({ steps }, env) => ava({ ...env, MODEL_CACHE_STRESS_STEPS: steps }, 'full-disk-steps'),
  },
  many: {
    what: 'eight processes of Node and Python at once',
    count: countPytest,
    run: async ({ seconds }, env) => {
      await buildWheel()
      return testPythonFile('tests/test_many.py', { ...env, MODEL_CACHE_STRESS_SECONDS: seconds })
    },
  },
}

async function whyNoRoom(gib) {
  const { bavail, bsize } = await statfs(tmpdir())
  const [free, needed] = [bavail * bsize, (gib + SPARE) * GIB]
  if (free >= needed) return undefined
  return `${tmpdir()} has ${Math.floor(free / GIB)} GiB free, and ${gib + SPARE} are needed (--gib takes fewer)`
}

async function runPart(name, values) {
  const { what, count, without, run: start } = PARTS[name]
  console.log(`\n== ${name}: ${what}`)
  const why = await without?.(values)
  if (why) return { name, line: `left out: ${why}`, failed: false }
  const begin = performance.now()
  const { status, text } = await start(values, { MODEL_CACHE_STRESS_SEED: values.seed })
  const { passed, failed } = count(text)
  const minutes = ((performance.now() - begin) / 60_000).toFixed(1)
  const counts = [...text.matchAll(/counts: (.*)$/gm)].map(([, line]) => line)
  const line = [`${passed} passed, ${failed} failed`, `${minutes} min`, ...counts].join('; ')
  return { name, line, failed: status !== 0 || failed > 0 || passed === 0 }
}

await runMain(async () => {
  const { values, positionals } = parseArgs({ options: OPTIONS, allowPositionals: true })
  const unknown = positionals.filter((name) => !(name in PARTS))
  if (unknown.length > 0) {
    throw new StepError(
      `There is no part ${unknown.join(', ')}: choose from ${Object.keys(PARTS).join(' ')}.`,
    )
  }
  await bootstrap()
  say(`the seed is ${values.seed}; --seed ${values.seed} has the same decisions again`)
  const outcomes = []
  for (const name of positionals.length > 0 ? positionals : Object.keys(PARTS)) {
    outcomes.push(await runPart(name, values))
  }
  console.log(`\nseed ${values.seed}`)
  for (const { name, line } of outcomes) console.log(`${name}: ${line}`)
  return outcomes.some(({ failed }) => failed) ? 1 : 0
})
