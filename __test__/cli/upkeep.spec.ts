import { ModelCache } from '@tabagent/model-cache'
import test, { type ExecutionContext } from 'ava'
import { MIB } from '../e2e/half-way.js'
import { damageFile } from '../support/damage.js'
import { makeFolder } from '../support/folder.js'
import { COMMIT, FILES, Q8, SIZE, writeHfCache } from '../support/hf-cache.js'
import { onnxFiles } from '../support/repository.js'
import { type Bench, openBench } from './command.js'

const REPO = 'acme/model'

/** A bench with two quants stored. */
async function openTwo(t: ExecutionContext): Promise<Bench> {
  const bench = await openBench(t, { [REPO]: onnxFiles(SIZE) })
  await bench.print('pull', REPO, '-q', 'q8', '-q', 'q4')
  return bench
}

/** Inverts one byte of the weights of q8. */
async function damageWeights(bench: Bench): Promise<void> {
  const cache = await ModelCache.open({ path: bench.store, endpoint: bench.hub.url, offline: true })
  await damageFile(cache, REPO, Q8, 10)
  await cache.close()
}

test('verify: an intact store is status 0', async (t) => {
  const bench = await openTwo(t)
  t.is(await bench.print('verify'), '5 files, 10.4 MB checked: all is intact\n')
  t.is((await bench.json('verify', REPO)).document.bytes, 2 * SIZE + 76)
  t.is((await bench.run('verify', 'acme/none')).status, 3)
})

test('verify: damage is status 4, told by file and place; --repair fetches it again', async (t) => {
  const bench = await openTwo(t)
  await damageWeights(bench)
  const { status, stdout, stderr } = await bench.run('verify')
  t.is(status, 4)
  t.is(stdout, `damaged  ${REPO}/${Q8}, 4.1 MB at byte 0\n5 files, 10.4 MB checked: not all is intact\n`)
  t.regex(stderr, /^Repair what is damaged: model-cache verify --repair$/m)
  const json = await bench.json('verify', REPO)
  t.is(json.status, 4)
  t.like(json.document.damaged[0], { repo: REPO, path: Q8, offset: 0, length: 4 * MIB, repaired: false })
  const repaired = `repaired  ${REPO}/${Q8}, 4.1 MB at byte 0\n5 files, 10.4 MB checked: all is intact\n`
  t.is(await bench.print('verify', '--repair'), repaired)
  t.is(await bench.print('verify'), '5 files, 10.4 MB checked: all is intact\n')
})

test('verify: what a repair could not fetch is status 4, with the commands that replace it', async (t) => {
  const bench = await openTwo(t)
  await damageWeights(bench)
  const { status, stderr } = await bench.run('verify', '--repair', '--offline')
  t.is(status, 4)
  const [, ...commands] =
    /^Replace what is damaged: model-cache (.*) && model-cache (.*)$/m.exec(stderr) ?? []
  t.is(commands.length, 2)
  for (const command of commands) await bench.print(...command.split(' '))
  t.is(await bench.print('verify'), '5 files, 10.4 MB checked: all is intact\n')
})

test('prune --dry-run says what would go, prune lets it go', async (t) => {
  const bench = await openTwo(t)
  const dry = await bench.print('prune', '--dry-run', '--max-size', '6MB')
  t.regex(dry, /^would go {2}acme\/model q8\nWould go: 1 quant; [\d.]+ MB to be given back to the disk$/m)
  t.regex(await bench.print('ls'), /main +q8/)
  t.regex(
    await bench.print('prune', '--max-size', '6MB'),
    /^removed {2}acme\/model q8\nRemoved: 1 quant; [\d.]+ MB given back to the disk$/m,
  )
  const listed = await bench.print('ls')
  t.notRegex(listed, /main +q8/)
  t.regex(listed, /main +q4/)
  t.like((await bench.json('prune')).document, { quants: [], orphans: 0, dryRun: false })
})

test('prune takes sizes as people write them', async (t) => {
  const bench = await openBench(t, {})
  for (const size of ['50GB', '500MiB', '1.5TB', '4096']) await bench.print('prune', '--max-size', size)
  const { status, stderr } = await bench.run('prune', '--max-size', 'much')
  t.is(status, 2)
  t.regex(stderr, /Expected a size such as 50GB, 500MiB or a number of bytes/)
})

test('import takes models from the cache of huggingface_hub', async (t) => {
  const bench = await openBench(t, {})
  const folder = await makeFolder(t)
  await writeHfCache(folder, REPO, COMMIT, FILES)
  await writeHfCache(folder, 'acme/other', COMMIT, { 'config.json': '{}' })
  const stdout = await bench.print('import', folder, '--repo', REPO)
  t.regex(stdout, /^acme\/model onnx\/model_quantized\.onnx: 5\.2 MB$/m)
  t.regex(stdout, /^3 files, 5\.2 MB imported$/m)
  t.regex(await bench.print('ls', '--offline'), /^acme\/model +main +q8 +5\.2 MB +stored$/m)
  t.is((await bench.json('import', folder)).document.imported.length, 1)
  t.is(bench.hub.log.records.length, 0)
  t.is((await bench.run('import', `${folder}/nowhere`)).status, 2)
})
