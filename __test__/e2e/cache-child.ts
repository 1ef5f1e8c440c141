import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import {
  type CachedFile,
  type MaterializeOptions,
  ModelCache,
  type OpenOptions,
  type PlainFiles,
  type Progress,
} from '@tabagent/model-cache'
import { emitEvent, serveCommands } from '../support/child-commands.js'

const held = new Map<string, CachedFile>()
const plain: PlainFiles[] = []
let cache: ModelCache | undefined
const downloads = new AbortController()

function opened(): ModelCache {
  if (!cache) throw new Error('no cache is open in this child')
  return cache
}

function openFile(repo: string, path: string): CachedFile {
  const file = opened().getFile(repo, path)
  if (!file) throw new Error(`${repo}/${path} is not stored`)
  return file
}

/** On Linux `maxRSS` begins with what the parent had when it forked. */
function peakMemory(): number {
  if (process.platform !== 'linux') return process.resourceUsage().maxRSS * 1024
  const [, kib] = /^VmHWM:\s+(\d+) kB$/m.exec(readFileSync('/proc/self/status', 'utf8')) ?? []
  return Number(kib) * 1024
}

function sha256(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex')
}

serveCommands({
  async open(options: OpenOptions) {
    cache = await ModelCache.open(options)
  },
  // biome-ignore lint/suspicious/noExplicitAny: cache-process.ts types the calls.
  call: (method: keyof ModelCache, parameters: any[]) => (opened() as any)[method](...parameters),
  download(repo: string, { quant, path }: { quant?: string; path?: string }) {
    const options = {
      signal: downloads.signal,
      onProgress: (progress: Progress) => emitEvent('progress', progress),
    }
    if (path) return opened().downloadFile(repo, path, options)
    return opened().downloadQuant(repo, quant ?? '', options)
  },
  abort: () => downloads.abort(new Error('enough')),
  digest(repo: string, path: string) {
    using file = openFile(repo, path)
    return sha256(file.buffer)
  },
  hold(repo: string, path: string) {
    const file = openFile(repo, path)
    held.set(path, file)
    return file.buffer.length
  },
  heldDigest: (path: string) => sha256(held.get(path)?.buffer ?? Buffer.alloc(0)),
  async materialize(repo: string, what: string, options: MaterializeOptions) {
    const files = await opened().materialize(repo, what, options)
    plain.push(files)
    return { path: files.path, method: files.files[0]?.method ?? '' }
  },
  peakMemory,
  letGo: () => Promise.all(plain.splice(0).map((files) => files.close())),
  /** Gives up its rights, as a process of an ordinary user has none to begin with. */
  becomeNobody() {
    process.setgroups?.([])
    process.setgid?.(65534)
    process.setuid?.(65534)
  },
})
