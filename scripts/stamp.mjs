// A stamp is a file that holds the hash of what a build step was made from.
import { createHash } from 'node:crypto'
import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { dirname, join, relative } from 'node:path'
import { ROOT } from './command.mjs'

/** Hash of the given strings, and of the names and contents of the given files. */
export function hashOf(strings, files = []) {
  const hash = createHash('sha256').update(JSON.stringify(strings))
  for (const file of files) {
    hash.update(`\0${relative(ROOT, file)}\0`).update(readFileSync(file))
  }
  return hash.digest('hex')
}

/**
 * Makes something unless it was made from what `hash` stands for and `isThere`. A step that is killed half-way leaves no
 * stamp, not even the one of an earlier success.
 */
export async function makeOnce(stamp, hash, make, isThere = () => true) {
  if (isStamped(stamp, hash) && isThere()) return
  rmSync(stamp, { force: true })
  await make()
  mkdirSync(dirname(stamp), { recursive: true })
  writeFileSync(stamp, hash)
}

function isStamped(stamp, hash) {
  try {
    return readFileSync(stamp, 'utf8') === hash
  } catch (error) {
    if (error.code === 'ENOENT') return false
    throw error
  }
}

/** All files under a folder, sorted, leaving out folders of the given names. */
export function filesUnder(folder, leaveOut = []) {
  const entries = readdirSync(folder, { withFileTypes: true })
  return entries
    .flatMap((entry) => {
      const path = join(folder, entry.name)
      if (!entry.isDirectory()) return [path]
      return leaveOut.includes(entry.name) ? [] : filesUnder(path, leaveOut)
    })
    .sort()
}
