import { existsSync, readFileSync, statSync } from 'node:fs'
import { open } from 'node:fs/promises'
import { runProgram } from './child-process.js'

const SECTOR = 512

/** Writes out everything that waits for the disk, so that no contender pays for what another left. */
export async function settleDisk(): Promise<void> {
  await runProgram('sync', [])
}

/** Milliseconds until the disk has what was written to a file. */
export async function syncFile(path: string): Promise<number> {
  const start = performance.now()
  const file = await open(path)
  await file.datasync()
  await file.close()
  return performance.now() - start
}

/** Bytes written so far, by any process, to the disk that holds `folder`; undefined where the system does not tell. */
export function deviceBytes(folder: string): number | undefined {
  const { dev } = statSync(folder)
  const [major, minor] = [(dev >> 8) & 0xfff, (dev & 0xff) | ((dev >> 12) & 0xfff00)]
  const file = `/sys/dev/block/${major}:${minor}/stat`
  if (!existsSync(file)) return undefined
  const sectors = readFileSync(file, 'utf8').trim().split(/\s+/)[6]
  return Number(sectors) * SECTOR
}

/** The file system that holds `folder`, by its name. */
export function fileSystem(folder: string): string {
  if (!existsSync('/proc/self/mounts')) return process.platform
  const mounts = readFileSync('/proc/self/mounts', 'utf8').trim().split('\n')
  const holding = mounts
    .map((line) => line.split(' '))
    .filter(([, place = '']) => place === '/' || `${folder}/`.startsWith(`${place}/`))
    .toSorted(([, a = ''], [, b = '']) => b.length - a.length)
  return holding[0]?.[2] ?? 'unknown'
}
