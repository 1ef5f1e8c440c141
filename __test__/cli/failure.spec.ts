import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import test from 'ava'
import { ggufFiles } from '../support/repository.js'
import { openBench } from './command.js'

const SIZE = 300_000
const REPO = 'acme/model'
const FILES = ggufFiles('m', ['Q4_K_M', 'Q8_0'], SIZE)

test('wrong usage is status 2, and says what is right', async (t) => {
  const bench = await openBench(t, {})
  const cases: [string[], RegExp][] = [
    [['frobnicate'], /unknown command 'frobnicate'\n {2}See: model-cache --help\n$/],
    [['pul', REPO], /unknown command 'pul'\n {2}Did you mean pull\?\n/],
    [['ls', '--frob'], /unknown option '--frob'/],
    [['scan'], /missing required argument 'repo'\n {2}See: model-cache scan --help\n$/],
    [['scan', 'a', 'b'], /too many arguments/],
    [['scan', 'a/b/c'], /repo must be `name` or `owner\/name`/],
    [['scan', REPO, '--endpoint', 'nowhere'], /option "endpoint" must be an http or https URL/],
    [
      ['scan', REPO, '--endpoint', '127.0.0.1:1'],
      /an http or https URL such as http:\/\/127\.0\.0\.1:1, got/,
    ],
    [['ls', '--cache-dir='], /--cache-dir <dir>.*Expected the path of a folder/],
    [['pull', REPO, '--limit-rate', 'fast'], /--limit-rate <size>.*Expected a size such as 50GB/],
    [['export', REPO, 'x', '--link', 'hard'], /Allowed choices are auto, reflink, copy/],
    [['completion', 'ksh'], /Allowed choices are bash, zsh, fish/],
  ]
  for (const [args, expected] of cases) {
    const { status, stdout, stderr } = await bench.run(...args)
    t.deepEqual([status, stdout], [2, ''], args.join(' '))
    t.regex(stderr, /^ERR_INVALID_ARGUMENT: /)
    t.regex(stderr, expected)
  }
})

test('without a command the help is on stderr with status 2; asked for, on stdout with 0', async (t) => {
  const bench = await openBench(t, {})
  const bare = await bench.run()
  t.deepEqual([bare.status, bare.stdout], [2, ''])
  t.regex(bare.stderr, /^Usage: model-cache/)
  t.regex(await bench.print('--help'), /^Usage: model-cache.*Exit status: 0 done, 1 failed, 2 wrong usage/s)
  for (const name of ['scan', 'pull', 'ls', 'cat', 'rm', 'path', 'export', 'info', 'completion']) {
    t.regex(await bench.print(name, '--help'), new RegExp(`^Usage: model-cache ${name} .*--cache-dir`, 's'))
  }
  t.is(await bench.print('help', 'scan'), await bench.print('scan', '--help'))
  t.regex(await bench.print('--version'), /^\d+\.\d+\.\d+\n$/)
})

test('what is not there is status 3, with the nearest name or the list', async (t) => {
  const bench = await openBench(t, { [REPO]: FILES })
  await bench.print('scan', REPO)
  const cases: [string[], RegExp][] = [
    [
      ['scan', 'acme/modle'],
      /ERR_REPO_NOT_FOUND: .*check its name.*\n {2}Did you mean acme\/model\?\n {2}A token is/,
    ],
    [['scan', REPO, '--revision', 'v9'], /ERR_REVISION_NOT_FOUND: .*v9/],
    [
      ['pull', REPO, '-q', 'Q9'],
      /ERR_QUANT_NOT_FOUND: .*it has: Q4_K_M, Q8_0\n.*model-cache scan acme\/model$/m,
    ],
    [['pull', REPO, '-f', 'm-Q8_1.gguf'], /ERR_FILE_NOT_FOUND: .*\n {2}Did you mean m-Q8_0\.gguf\?/],
    [
      ['cat', REPO, 'm-Q8_0.gguf'],
      /is not stored\n {2}Download it: model-cache pull acme\/model -f m-Q8_0\.gguf\n/,
    ],
    [
      ['ls', 'acme/none'],
      /ERR_REPO_NOT_FOUND: nothing is stored of acme\/none(.|\n)*\n {2}See what is stored: model-cache ls\n/,
    ],
    [
      ['rm', 'acme/none'],
      /ERR_REPO_NOT_FOUND: nothing of acme\/none(.|\n)*\n {2}See what is stored: model-cache ls\n$/,
    ],
    [
      ['verify', 'acme/none'],
      /ERR_REPO_NOT_FOUND: nothing of acme\/none(.|\n)*\n {2}See what is stored: model-cache ls\n$/,
    ],
    [
      ['path', REPO, 'q8_0'],
      /ERR_FILE_NOT_FOUND: .*\n {2}Download it: model-cache pull acme\/model -q Q8_0\n$/,
    ],
    [
      ['path', REPO, 'm-Q8_0.gguf'],
      /ERR_FILE_NOT_FOUND: .*\n {2}Download it: model-cache pull acme\/model -f m-Q8_0\.gguf\n$/,
    ],
    [
      ['export', REPO, 'plain', '-q', 'Q8_0'],
      /ERR_FILE_NOT_FOUND: .*\n {2}Download it: model-cache pull acme\/model -q Q8_0\n$/,
    ],
    [['rm', REPO, '-q', 'Q9'], /ERR_QUANT_NOT_FOUND/],
  ]
  for (const [args, expected] of cases) {
    const { status, stdout, stderr } = await bench.run(...args)
    t.deepEqual([status, stdout], [3, ''], args.join(' '))
    t.regex(stderr, expected)
  }
})

test('other bytes than were promised are status 4', async (t) => {
  const bench = await openBench(t, { [REPO]: FILES })
  bench.hub.fault = ({ origin }) => (origin === 'cdn' ? { alterByte: 100 } : undefined)
  const { status, stderr } = await bench.run('pull', REPO, '-q', 'Q8_0')
  t.is(status, 4)
  t.regex(stderr, /^ERR_INTEGRITY: .*m-Q8_0\.gguf/m)
})

test('a gated repository: where to ask for access, and how to pass a token', async (t) => {
  const settings = { gated: 'manual' as const, allowed: ['hf_good'] }
  const bench = await openBench(
    t,
    { [REPO]: { files: FILES, settings } },
    { tokens: ['hf_good', 'hf_other'] },
  )
  const { status, stderr } = await bench.run('pull', REPO, '-q', 'Q8_0')
  t.is(status, 1)
  t.true(stderr.includes(`visit ${bench.hub.url}/${REPO} to ask for access`), stderr)
  t.true(
    stderr.includes(
      `  A token is passed in HF_TOKEN or with --token.\n  Accounts make one at ${bench.hub.url}/settings/tokens\n`,
    ),
  )
  const refused = await bench.run('pull', REPO, '-q', 'Q8_0', '--token', 'hf_other')
  t.is(refused.status, 1)
  t.regex(await bench.print('scan', REPO), /^Q8_0 .* failed \(ERR_GATED\), not stored/m)
  t.false(refused.stderr.includes('hf_other'), 'a token is never repeated')
  await bench.print('pull', REPO, '-q', 'Q8_0', '--token', 'hf_good')
})

test('offline: what is missing, and what to leave out', async (t) => {
  const bench = await openBench(t, { [REPO]: FILES })
  for (const args of [
    ['scan', REPO],
    ['pull', REPO, '-q', 'Q8_0'],
  ]) {
    const { status, stderr } = await bench.run(...args, '--offline')
    t.is(status, 1)
    t.regex(
      stderr,
      /^ERR_OFFLINE: .*\n {2}Leave out --offline, and unset HF_HUB_OFFLINE and TRANSFORMERS_OFFLINE\.$/m,
    )
  }
  t.is(bench.hub.log.records.length, 0)
})

test('a store that is overwritten is damaged, and what to do is told', async (t) => {
  const bench = await openBench(t, { [REPO]: FILES })
  await bench.print('pull', REPO, '-q', 'Q8_0')
  await writeFile(join(bench.store, 'model_cache_manifests', 'mdbx.dat'), 'hello'.repeat(100_000))
  for (const words of [['ls'], ['verify', '--repair']]) {
    const { status, stderr } = await bench.run(...words)
    t.is(status, 4)
    t.regex(
      stderr,
      /^ERR_CORRUPT: the database at .*\n {2}Put the store back from a copy, or move its folder away/,
    )
  }
})

test('no room: how much is needed and how much there is', async (t) => {
  const size = 2 ** 41
  const bench = await openBench(t, { [REPO]: { 'm-Q4_K_M.gguf': { size: 10, seed: 'x' } } })
  bench.hub.fault = ({ origin, path }) => {
    if (origin !== 'api' || !path.startsWith('/api/models/')) return undefined
    const siblings = [
      { rfilename: 'm-Q4_K_M.gguf', size, lfs: { sha256: 'a'.repeat(64), size, pointerSize: 134 } },
    ]
    const body = JSON.stringify({
      id: REPO,
      sha: 'c'.repeat(40),
      siblings,
      tags: [],
      private: false,
      gated: false,
    })
    return { answer: { status: 200, headers: { 'content-type': 'application/json' }, body } }
  }
  const { status, stderr } = await bench.run('pull', REPO)
  t.is(status, 1)
  t.regex(stderr, /^ERR_NO_SPACE: .* bytes needed, of which 268435456 are a reserve that stays free, /m)
  t.regex(stderr, /^ {2}Needed: 2\.\d TB; available: [\d.]+ .B\.$/m)
  t.regex(
    stderr,
    /^ {2}Make room with model-cache rm REPO, or name a folder on another disk with --cache-dir\.$/m,
  )
})

test('with --json a failure is the one document on stdout, with code, fields and what to do', async (t) => {
  const bench = await openBench(t, { [REPO]: FILES })
  const notFound = await bench.json('pull', REPO, '-q', 'Q9')
  t.is(notFound.status, 3)
  t.like(notFound.document.error, { code: 'ERR_QUANT_NOT_FOUND', repo: REPO })
  t.regex(notFound.document.error.message, /it has: Q4_K_M, Q8_0/)
  t.regex(notFound.document.error.hint, /model-cache scan acme\/model/)
  t.is(notFound.stderr, '')
  const usage = await bench.json('ls', '--frob')
  t.is(usage.status, 2)
  t.like(usage.document.error, { code: 'ERR_INVALID_ARGUMENT', message: "unknown option '--frob'" })
  const several = await bench.json('pull', REPO)
  t.is(several.status, 2)
  t.is(several.document.error.quants.length, 2)
})
