import { execFile } from 'node:child_process'
import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import test from 'ava'
import type { Fault } from '../../local-hub/index.js'
import { makeFolder } from '../support/folder.js'
import { startHub } from '../support/hub.js'
import { ggufFiles } from '../support/repository.js'
import { REPO, TOKEN } from './matrix.js'

const PASSWORD = 'proxysecret'
const WRONG_TOKEN = 'hf_anothersecret'

/** What goes wrong with the bytes of each quant. */
const FAULTS: Record<string, Fault> = {
  Q2_K: { cutAfter: 100_000 },
  Q3_K_M: { answer: { status: 403, body: 'Access Denied' } },
  Q4_K_M: {
    answer: { status: 500, body: JSON.stringify({ error: `${TOKEN}: http://x/y?Signature=another-one` }) },
  },
  Q5_K_M: { answer: { status: 429, headers: { 'retry-after': '290' } } },
  Q6_K: { headers: { 'content-range': 'bytes 0-4/77' } },
  Q8_0: { alterByte: 5 },
  F16: { answer: { status: 302, headers: { location: 'http://127.0.0.1:1/x?Signature=another-one' } } },
  BF16: { answer: { status: 302, headers: { location: 'ftp://127.0.0.1/x?Signature=another-one' } } },
}

test('after many failures no token, signature or password is in an error, in the output, or in the store', async (t) => {
  const quants = Object.keys(FAULTS)
  const { hub } = await startHub(t, { [REPO]: ggufFiles('m', quants, 300_000) }, { tokens: [TOKEN] })
  let quant = ''
  hub.fault = ({ origin, path }) => {
    quant = /m-(\w+)\.gguf$/.exec(path)?.[1] ?? quant
    return origin === 'cdn' ? FAULTS[quant] : undefined
  }
  const path = join(await makeFolder(t), 'store')
  const options = { path, endpoint: hub.url, token: TOKEN, connections: 1, retries: 0 }
  const proxy = `http://user:${PASSWORD}@127.0.0.1:1`
  const calls = [
    ...quants.map((quant) => ({ options, repo: REPO, quant })),
    { options: { ...options, token: WRONG_TOKEN }, repo: 'acme/other', quant: 'q8' },
    { options: { ...options, token: `${TOKEN}\n\u0000` }, repo: 'acme/other', quant: 'q8' },
    { options: { ...options, proxy, noProxy: 'hub.example' }, repo: 'acme/other', quant: 'q8' },
    { options: { ...options, proxy: `ftp://user:${PASSWORD}@host` }, repo: 'acme/other', quant: 'q8' },
    { options: { ...options, endpoint: `http://user:${PASSWORD}@host` }, repo: 'acme/other', quant: 'q8' },
  ]
  const script = fileURLToPath(new URL('./secret-child.js', import.meta.url))
  const { stdout, stderr } = await promisify(execFile)(process.execPath, [script, JSON.stringify(calls)], {
    env: { ...process.env, RUST_LOG: 'trace', RUST_BACKTRACE: 'full', HF_DEBUG: '1', DEBUG: '*' },
  })
  t.is(stdout.match(/^ModelCacheError/gm)?.length, calls.length, stdout)
  const queries = hub.log.records.map(({ query }) => query.get('Signature') ?? '')
  const signatures = queries.filter((text) => text !== '')
  t.true(signatures.length >= quants.length)
  const secrets = [TOKEN, WRONG_TOKEN, PASSWORD, 'another-one', 'Signature=', 'Key-Pair-Id', ...signatures]
  t.deepEqual(secretsIn(Buffer.from(stdout + stderr), secrets), [], stdout + stderr)
  for (const name of await filesBelow(path)) {
    t.deepEqual(secretsIn(withoutHoles(await readFile(name)), secrets), [], name)
  }
})

function secretsIn(bytes: Buffer, secrets: readonly string[]): string[] {
  return secrets.filter((secret) => bytes.includes(secret))
}

/** What there is in a file that is mostly holes. */
function withoutHoles(bytes: Buffer): Buffer {
  const page = 1 << 16
  const hole = Buffer.alloc(page)
  const pages = Array.from({ length: Math.ceil(bytes.length / page) }, (_, n) =>
    bytes.subarray(n * page, (n + 1) * page),
  )
  return Buffer.concat(pages.filter((one) => !one.equals(hole)))
}

async function filesBelow(folder: string): Promise<string[]> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true })
  return entries.filter((entry) => entry.isFile()).map(({ parentPath, name }) => join(parentPath, name))
}
