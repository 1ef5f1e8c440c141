import { execFile } from 'node:child_process'
import { join } from 'node:path'
import { promisify } from 'node:util'
import type { ExecutionContext } from 'ava'
import { makeFolder } from './folder.js'

const run = promisify(execFile)

/** What a preloaded process is told otherwise than it is: see preload.c. */
export interface Disguise {
  /** Seconds by which the wall clock is wrong. */
  clockShift?: number
  /** The number of the kind that every file system says it is of (`man 2 statfs`). */
  fileSystem?: number
}

/** Compiles preload.c; returns the environment that a disguise needs, or says why there is none here. */
export async function compilePreload(
  t: ExecutionContext,
): Promise<((disguise: Disguise) => Record<string, string>) | undefined> {
  if (process.platform !== 'linux') {
    t.log('not run: only on Linux a library is preloaded')
    return undefined
  }
  const library = join(await makeFolder(t), 'preload.so')
  await run('cc', ['-shared', '-fPIC', '-o', library, join('__test__', 'support', 'preload.c'), '-ldl'])
  return ({ clockShift, fileSystem }) => ({
    LD_PRELOAD: library,
    ...(clockShift !== undefined && { TEST_CLOCK_SHIFT: String(clockShift) }),
    ...(fileSystem !== undefined && { TEST_FILE_SYSTEM: String(fileSystem) }),
  })
}
