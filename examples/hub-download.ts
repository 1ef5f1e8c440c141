import { ModelCache } from '@tabagent/model-cache'
import { DownloadBar, formatSize, formatTime, printQuants } from './terminal.js'

/**
 * Lists the quants of a repository of the Hugging Face Hub (or of HF_ENDPOINT), and downloads the one that is named.
 * Ctrl-C keeps what has arrived: the same command goes on from there.
 */
export async function downloadFromHub(repo: string, quant: string | undefined): Promise<void> {
  await using cache = await ModelCache.open()
  const interrupt = new AbortController()
  process.once('SIGINT', () => {
    process.exitCode = 130
    interrupt.abort(new Error('stopped; the same command continues from here'))
  })
  const { signal } = interrupt
  const manifest = await cache.scanRepo(repo, { refresh: true, signal })
  console.log(`${manifest.repo} at commit ${manifest.commit.slice(0, 12)}, store ${cache.path}`)
  printQuants(manifest)
  if (quant === undefined) {
    console.log(`\nTo download one: npm start -- ${repo} QUANT`)
    return
  }
  const bar = new DownloadBar()
  const start = performance.now()
  await cache.downloadQuant(repo, quant, { signal, onProgress: bar.onProgress }).finally(() => bar.stop())
  const { size } = findQuant(cache, repo, quant)
  console.log(`${quant} is stored: ${formatSize(size)}, ${formatTime(performance.now() - start)}`)
}

function findQuant(cache: ModelCache, repo: string, name: string): { size: number } {
  const quants = Object.values(cache.getManifest(repo)?.quants ?? {})
  return quants.find((quant) => quant.name.toLowerCase() === name.toLowerCase()) ?? { size: 0 }
}
