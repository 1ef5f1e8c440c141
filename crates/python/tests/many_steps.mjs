// Takes random steps on a store until its time is over, beside other processes: see test_many.py.
import { createHash } from 'node:crypto'

const [module, path, endpoint, seed, seconds, known] = process.argv.slice(2)
const { isModelCacheError, ModelCache } = await import(module)
const digests = JSON.parse(known)
const names = Object.keys(digests)
const repos = [...new Set(names.map((name) => name.split('/').slice(0, 2).join('/')))]
const EXPECTED = ['ERR_REPO_NOT_FOUND', 'ERR_FILE_NOT_FOUND', 'ERR_IN_USE']

let state = Number(seed)
let reads = 0
const held = []

function below(limit) {
  state = (state * 48_271) % 2_147_483_647
  return state % limit
}

const pick = (choices) => choices[below(choices.length)]

function split(name) {
  const [owner, repo, ...rest] = name.split('/')
  return [`${owner}/${repo}`, rest.join('/')]
}

function check(file) {
  const digest = createHash('sha256').update(file.buffer).digest('hex')
  if (digest !== digests[`${file.repo}/${file.path}`]) throw new Error(`${file.path} has other bytes`)
  reads += 1
}

function read(cache) {
  const file = cache.getFile(...split(pick(names)))
  if (!file) return
  check(file)
  if (held.length < 4) held.push(file)
  else file.close()
}

function letGo() {
  for (const file of held.splice(0)) {
    check(file)
    file.close()
  }
}

function step(cache) {
  const repo = pick(repos)
  const steps = [
    () => cache.scanRepo(repo),
    () => cache.downloadFile(...split(pick(names))),
    () => cache.downloadQuant(repo, pick(['q4', 'fp16'])),
    () => read(cache),
    () => read(cache),
    letGo,
    () => cache.removeFile(...split(pick(names))),
    () => cache.removeQuant(repo, pick(['q4', 'fp16'])),
    () => cache.removeRepo(repo),
    () => cache.prune({ maxSize: 10_000_000 }),
    () => cache.verify(),
    () => cache.stats(),
  ]
  return pick(steps)()
}

const cache = await ModelCache.open({ path, endpoint })
const end = performance.now() + Number(seconds) * 1000
let steps = 0
while (performance.now() < end || reads === 0) {
  try {
    await step(cache)
  } catch (error) {
    if (!EXPECTED.some((code) => isModelCacheError(error, code))) throw error
  }
  steps += 1
}
letGo()
await cache.close()
console.log(JSON.stringify({ steps, reads }))
