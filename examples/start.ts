import { isModelCacheError } from '@tabagent/model-cache'
import { downloadFromHub } from './hub-download.js'
import { runLocalJob } from './local-job.js'

const USAGE = `npm start                    the whole job on a trained model, from a Hub on this machine
npm start -- QUANT           the same with fp16, q8 or q4
npm start -- REPO [QUANT]    list the quants of OWNER/NAME on the Hugging Face Hub, or download one`

async function main([first = 'fp32', second]: string[]): Promise<void> {
  if (first.startsWith('-')) console.log(USAGE)
  else if (first.includes('/')) await downloadFromHub(first, second)
  else await runLocalJob(first)
}

try {
  await main(process.argv.slice(2))
} catch (error) {
  const code = isModelCacheError(error) ? `${error.code}: ` : ''
  console.error(`\n${code}${error instanceof Error ? error.message : error}`)
  process.exitCode ??= 1
}
