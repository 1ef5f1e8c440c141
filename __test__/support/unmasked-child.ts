// node unmasked-child.js FOLDER ENDPOINT TOKEN: does in FOLDER what makes files, in a process whose umask forbids nobody anything,
// and which is killed in the middle of a download.
import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import { ModelCache } from '@tabagent/model-cache'

const REPO = 'acme/model'
const [folder = '', endpoint = '', token = ''] = process.argv.slice(2)
process.umask(0)

const cache = await ModelCache.open({ path: join(folder, 'new', 'deep', 'store'), endpoint, token })
for (const path of ['config.json', 'model.gguf']) await cache.downloadFile(REPO, path)
await cache.exportFile(REPO, 'model.gguf', join(folder, 'exported', 'model.gguf'))
await mkdir(join(folder, 'shared'), 0o755)
await (await ModelCache.open({ path: join(folder, 'shared'), endpoint })).close()
await cache.downloadFile(REPO, 'large.gguf', {
  onProgress: ({ loaded }) => loaded > 0 && process.kill(process.pid, 'SIGKILL'),
})
