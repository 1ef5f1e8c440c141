import { execFile } from 'node:child_process'
import { type FileHandle, mkdir, open } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import type { ExecutionContext } from 'ava'
import { makeFolder } from './folder.js'

const run = promisify(execFile)

/** What `mkfs` needs to be told, beside to be quiet. */
const OPTIONS = { ext4: ['-m', '0'], xfs: [], btrfs: ['-m', 'single'] }

/**
 * Mounts a new file system on a loop device until the test ends, and returns its folder; says so and returns `undefined`
 * where that is not possible (it needs root and the tools of the file system).
 */
export async function mountDisk(
  t: ExecutionContext,
  kind: keyof typeof OPTIONS,
  megabytes: number,
): Promise<string | undefined> {
  const folder = await makeFolder(t)
  const [image, mounted] = [join(folder, 'image'), join(folder, 'disk')]
  await mkdir(mounted)
  const file = await open(image, 'w')
  await file.truncate(megabytes * 2 ** 20)
  await file.close()
  try {
    await run(`mkfs.${kind}`, ['-q', ...OPTIONS[kind], image])
    await run('mount', ['-o', 'loop', image, mounted])
    // So small a btrfs begins with 8 MiB for names, and a full one keeps what it has for contents, also when they are gone.
    if (kind === 'btrfs') await run('btrfs', ['balance', 'start', '-f', '-m', mounted])
  } catch {
    t.log(`not run on ${kind}: this system does not let the test make and mount one`)
    return undefined
  }
  t.teardown(() => run('umount', ['-l', mounted]))
  return mounted
}

const MIB = 2 ** 20

/** Writes a file until the disk has less than a block left, and returns its path. */
export async function fillDisk(disk: string): Promise<string> {
  const path = join(disk, 'filler')
  await untilFull(async () => {
    const handle = await open(path, 'w')
    for (const size of [16 * MIB, MIB, 4096]) await untilFull(() => fillBy(handle, Buffer.alloc(size, 1)))
    await handle.close()
  })
  return path
}

async function fillBy(handle: FileHandle, block: Buffer): Promise<void> {
  for (;;) {
    await handle.write(block)
    await handle.datasync()
  }
}

async function untilFull(fill: () => Promise<void>): Promise<void> {
  try {
    await fill()
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOSPC') throw error
  }
}
