import { existsSync } from 'node:fs'
import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { childEnvironment, ROOT, runProgram, type Started, startProgram } from './child-process.js'
import type { Model, Workplace } from './workplace.js'

/** Where `npm run bench` installs the tools that it compares with: see scripts/peers.mjs. */
const PROGRAMS = join(ROOT, '.work', 'peers', 'bin')

/** Where it installs lmdb, which lives in this process. */
const LMDB = join(ROOT, '.work', 'peer-packages', 'node_modules', 'lmdb', 'index.js')

/** The module of lmdb for an import; says so where it is not installed, since what is compared with it is then left out. */
export function lmdbModule(): string | undefined {
  if (existsSync(LMDB)) return pathToFileURL(LMDB).href
  console.error('    lmdb is not installed here: what is compared with it is left out')
  return undefined
}

export type Peer = 'hf' | 'aria2c'

/** Whether a peer is installed here; says so when it is not, since its rows are then left out. */
export function hasPeer(peer: Peer): boolean {
  const found = existsSync(join(PROGRAMS, peer))
  if (!found) console.error(`    ${peer} is not installed here: what is compared with it is left out`)
  return found
}

/** Whether OpenSSL's program is there, which nothing installs; says so when it is not. */
export async function hasOpenssl(): Promise<boolean> {
  try {
    await runProgram('openssl', ['version'])
    return true
  } catch {
    console.error('    there is no openssl here: what is compared with it is left out')
    return false
  }
}

/** Milliseconds that `hf download` (huggingface_hub) needs for a repository, or one file of it, into an empty cache. */
export function hfDownload(
  workplace: Workplace,
  endpoint: string,
  repo: string,
  path?: string,
): Promise<number> {
  return workplace.inNewFolder((folder) => hfDownloadInto(folder, endpoint, repo, path))
}

/** The same into a cache that may be there. */
export async function hfDownloadInto(
  folder: string,
  endpoint: string,
  repo: string,
  path?: string,
): Promise<number> {
  const { wall } = await runProgram(join(PROGRAMS, 'hf'), hfArguments(repo, path), {
    env: hfEnvironment(folder, endpoint),
  })
  return wall
}

/** The same, started only. */
export function startHf(folder: string, endpoint: string, repo: string, path?: string): Started {
  return startProgram(join(PROGRAMS, 'hf'), hfArguments(repo, path), hfEnvironment(folder, endpoint))
}

function hfArguments(repo: string, path?: string): string[] {
  return ['download', repo, ...(path === undefined ? [] : [path]), '--quiet']
}

/** Only the Hub it is told, and plain HTTP: the local hub serves no Xet. */
function hfEnvironment(folder: string, endpoint: string): NodeJS.ProcessEnv {
  const settings = { HF_ENDPOINT: endpoint, HF_HOME: folder, HF_HUB_DISABLE_XET: '1' }
  return {
    ...childEnvironment(),
    ...settings,
    HF_HUB_DISABLE_TELEMETRY: '1',
    HF_HUB_DISABLE_UPDATE_CHECK: '1',
  }
}

/** Milliseconds that aria2 needs to download a model to a new file over eight connections. */
export function aria2(workplace: Workplace, endpoint: string, model: Model): Promise<number> {
  return workplace.inNewFolder(async (folder) => {
    await mkdir(folder)
    const url = `${endpoint}/${model.repo}/resolve/main/${model.path}`
    const flags = ['-x8', '-s8', '-k1M', '--no-conf', '--quiet', '--no-proxy=127.0.0.1']
    const { wall } = await runProgram(join(PROGRAMS, 'aria2c'), [...flags, `--dir=${folder}`, url])
    return wall
  })
}
