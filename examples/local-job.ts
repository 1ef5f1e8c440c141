import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { type CachedFile, type Manifest, ModelCache } from '@tabagent/model-cache'
import { HubProcess } from '../local-hub/index.js'
import { memory } from './memory.js'
import { SentenceEncoder, similarity } from './sentence-encoder.js'
import { PUBLISHED, SENTENCES } from './sentences.js'
import { DownloadBar, formatSize, formatTime, printQuants } from './terminal.js'

const REPO = 'sentence-transformers/all-MiniLM-L6-v2'
const WORK = '.work'

/** The whole job on a real model: scan, download, open zero-copy, compute, and do it again without the network. */
export async function runLocalJob(quant: string): Promise<void> {
  await using hub = await startHub()
  console.log(`A Hub on this machine: ${hub.url}\n`)
  await countTraffic(hub, 'First run', () =>
    downloadAndCompute(hub.url, quant, (cache) => cache.scanRepo(REPO)),
  )
  await countTraffic(hub, 'Second run', () => downloadAndCompute(hub.url, quant, knownManifest))
}

async function downloadAndCompute(
  endpoint: string,
  quant: string,
  findManifest: (cache: ModelCache) => Promise<Manifest>,
): Promise<void> {
  await using cache = await ModelCache.open({ path: join(WORK, 'cache'), endpoint, noProxy: '*' })
  const manifest = await findManifest(cache)
  console.log(`${manifest.repo} at commit ${manifest.commit.slice(0, 12)}`)
  printQuants(manifest)
  const bar = new DownloadBar()
  const { quants } = await cache
    .downloadQuant(REPO, quant, { onProgress: bar.onProgress })
    .finally(() => bar.stop())
  const stored = Object.values(quants).find(({ name }) => name.toLowerCase() === quant.toLowerCase())
  const weights = stored?.files.find((file) => file.role === 'weights')
  if (!weights) throw new Error(`the quant ${quant} has no weights`)
  await compute(cache, weights.path)
}

/** What the last scan found: nothing is asked of the Hub. */
async function knownManifest(cache: ModelCache): Promise<Manifest> {
  return cache.getManifest(REPO) ?? (await cache.scanRepo(REPO))
}

async function compute(cache: ModelCache, path: string): Promise<void> {
  const before = memory().anonymous
  const start = performance.now()
  using model = open(cache, path)
  const { buffer } = model
  const opened = performance.now() - start
  const openedMemory = memory().anonymous - before
  console.log(`opened ${path}: ${formatSize(buffer.length)} in ${formatTime(opened)}`)
  using tokenizer = open(cache, 'tokenizer.json')
  using config = open(cache, 'tokenizer_config.json')
  const encoder = await SentenceEncoder.create(buffer, await tokenizer.json(), await config.json())
  const vectors: Float32Array[] = []
  for (const sentence of SENTENCES) vectors.push(await encoder.encode(sentence))
  printSimilarities(vectors)
  const { anonymous, resident } = memory()
  const copied = model.zeroCopy ? 'zero-copy' : 'copied'
  console.log(
    `memory: ${formatSize(openedMemory)} of its own for the file (${copied}), ` +
      `${formatSize(anonymous)} with the engine, ${formatSize(resident)} with mapped files`,
  )
  await encoder.release()
}

function open(cache: ModelCache, path: string): CachedFile {
  const file = cache.getFile(REPO, path)
  if (!file) throw new Error(`${path} is not stored`)
  return file
}

function printSimilarities([a, b, c]: Float32Array[]): void {
  if (!a || !b || !c) return
  const values = [similarity(a, b), similarity(a, c), similarity(b, c)]
  const text = (numbers: readonly number[]) => numbers.map((value) => value.toFixed(4)).join(' ')
  console.log(`similarities: ${text(values)}   (published for fp32: ${text(PUBLISHED)})`)
}

async function countTraffic(hub: HubProcess, name: string, run: () => Promise<void>): Promise<void> {
  const before = await hub.requests()
  const start = performance.now()
  console.log(`== ${name}`)
  await run()
  const elapsed = performance.now() - start
  const requests = (await hub.requests()).slice(before.length)
  const bytes = requests.reduce((sum, request) => sum + request.bytesSent, 0)
  console.log(`${name}: ${requests.length} requests, ${bytes} bytes fetched, ${formatTime(elapsed)}\n`)
}

/** On the port of the last time where that is free: to the cache another address is another Hub. */
async function startHub(): Promise<HubProcess> {
  const file = join(WORK, 'hub-port')
  const port = await readFile(file, 'utf8').catch(() => '0')
  const hub = await HubProcess.start(join(WORK, 'hub'), ['--port', port]).catch(() =>
    HubProcess.start(join(WORK, 'hub')),
  )
  await writeFile(file, new URL(hub.url).port)
  return hub
}
