import { inspect } from 'node:util'
import { ModelCache, type OpenOptions } from '@tabagent/model-cache'

/** Makes calls that all fail, one after the other, and prints everything that their errors hold. */
async function main(): Promise<void> {
  const calls = JSON.parse(process.argv[2] ?? '[]') as { options: OpenOptions; repo: string; quant: string }[]
  for (const { options, repo, quant } of calls) {
    const error = await fail(options, repo, quant)
    console.log(inspect(error, { depth: null, showHidden: true }), JSON.stringify(error), String(error))
  }
}

async function fail(options: OpenOptions, repo: string, quant: string): Promise<unknown> {
  let cache: ModelCache | undefined
  try {
    cache = await ModelCache.open(options)
    console.log(inspect(cache, { depth: null, showHidden: true }))
    await cache.downloadQuant(repo, quant)
    return new Error('it did not fail')
  } catch (error) {
    if (cache) console.log(inspect(cache.getManifest(repo), { depth: null }))
    return error
  } finally {
    await cache?.close()
  }
}

await main()
