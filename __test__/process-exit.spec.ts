import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import { Worker } from 'node:worker_threads'
import test from 'ava'
import { collect, openStore, REPO } from './support/store.js'

const SIZE = 3_000_000
const FILES = { 'model.onnx': { size: SIZE, seed: 'w' } }

const run = (script: string) =>
  promisify(execFile)(process.execPath, ['--input-type=module', '--eval', script])

test('a pending download keeps its process alive, though nothing in it waits', async (t) => {
  const { hub, path } = await openStore(t, FILES)
  const { stdout } = await run(`
    import { ModelCache } from '@tabagent/model-cache'
    const cache = await ModelCache.open(${JSON.stringify({ path, endpoint: hub.url })})
    cache.downloadFile('${REPO}', 'model.onnx').then(({ stored }) => process.stdout.write('stored ' + stored))
  `)
  t.is(stdout, 'stored true')
})

test('neither an open cache nor onProgress holds a process open', async (t) => {
  const { hub, path } = await openStore(t, FILES)
  const { stdout } = await run(`
    import { ModelCache } from '@tabagent/model-cache'
    const cache = await ModelCache.open(${JSON.stringify({ path, endpoint: hub.url })})
    let last
    await cache.downloadFile('${REPO}', 'model.onnx', { onProgress: ({ loaded }) => { last = loaded } })
    process.stdout.write(String(last))
  `)
  t.is(stdout, String(SIZE))
})

test('neither does a watch that somebody waits at', async (t) => {
  const { cache, hub, path } = await openStore(t, FILES)
  await cache.scanRepo(REPO)
  const { stdout } = await run(`
    import { ModelCache } from '@tabagent/model-cache'
    const cache = await ModelCache.open(${JSON.stringify({ path, endpoint: hub.url })})
    const follow = async () => {
      for await (const { repo } of cache.watch()) process.stdout.write(repo)
    }
    follow()
    await cache.downloadFile('${REPO}', 'model.onnx')
  `)
  t.regex(stdout, new RegExp(`^(${REPO})+$`))
})

test('a program that only watches sees the present state, and ends', async (t) => {
  const { cache, hub, path } = await openStore(t, FILES)
  const watch = `
    import { ModelCache } from '@tabagent/model-cache'
    const cache = await ModelCache.open(${JSON.stringify({ path, endpoint: hub.url })})
    process.on('exit', () => { process.stdout.write('; over'); process.exitCode = 0 })
    for await (const { repo } of cache.watch()) process.stdout.write(repo)
  `
  t.is((await run(watch)).stdout, '; over', 'where there is nothing yet, too')
  await cache.scanRepo(REPO)
  t.is((await run(watch)).stdout, `${REPO}; over`)
})

const WATCH_IN_WORKER = `
  import { parentPort, workerData } from 'node:worker_threads'
  const { ModelCache } = await import(workerData.library)
  const cache = await ModelCache.open(workerData.options)
  // The watch holds no thread open.
  parentPort.on('message', () => {})
  for await (const { quants } of cache.watch()) parentPort.postMessage(Object.values(quants)[0].status)
`

test('a worker watches what other threads do, and may be terminated', async (t) => {
  const { cache, hub, path } = await openStore(t, FILES)
  await cache.scanRepo(REPO)
  const worker = new Worker(new URL(`data:text/javascript,${encodeURIComponent(WATCH_IN_WORKER)}`), {
    workerData: {
      library: import.meta.resolve('@tabagent/model-cache'),
      options: { path, endpoint: hub.url },
    },
  })
  const [present, stored] = [gate(), gate()]
  worker.on('message', (status) => (status === 'downloaded' ? stored : present).open())
  await present.opened
  const [name] = Object.keys(cache.getManifest(REPO)?.quants ?? {})
  await cache.downloadQuant(REPO, name ?? '')
  await stored.opened
  await worker.terminate()
  await cache.removeRepo(REPO)
  t.is(cache.getManifest(REPO), undefined)
})

const DOWNLOAD_IN_WORKER = `
  import { workerData } from 'node:worker_threads'
  const { ModelCache } = await import(workerData.library)
  const cache = await ModelCache.open(workerData.options)
  await cache.downloadFile('${REPO}', 'model.onnx', { onProgress() {} })
`

test('a worker that is terminated in a download lets it go', async (t) => {
  const { cache, hub, path } = await openStore(t, FILES)
  const asked = gate()
  const released = gate()
  hub.fault = ({ origin }) => {
    if (origin === 'cdn') asked.open()
    return origin === 'cdn' ? { hold: released.opened } : undefined
  }
  const worker = new Worker(new URL(`data:text/javascript,${encodeURIComponent(DOWNLOAD_IN_WORKER)}`), {
    workerData: {
      library: import.meta.resolve('@tabagent/model-cache'),
      options: { path, endpoint: hub.url },
    },
  })
  await asked.opened
  await worker.terminate()
  released.open()
  t.true((await cache.downloadFile(REPO, 'model.onnx')).stored)
  t.is(cache.getFile(REPO, 'model.onnx')?.buffer.length, SIZE)
})

test('garbage collection lets no pending call go', async (t) => {
  const { cache, hub } = await openStore(t, FILES)
  const [asked, released] = [gate(), gate()]
  hub.fault = ({ origin }) => {
    if (origin === 'cdn') asked.open()
    return origin === 'cdn' ? { hold: released.opened } : undefined
  }
  const download = cache.downloadFile(REPO, 'model.onnx')
  await asked.opened
  await collect(() => false)
  released.open()
  t.true((await download).stored)
})

/** Something to wait for. */
function gate() {
  let open = () => {}
  const opened = new Promise<void>((resolve) => {
    open = resolve
  })
  return { open: () => open(), opened }
}
