import { existsSync, readFileSync, writeFileSync } from 'node:fs'

/** Whether this system tells what a process takes and writes. Linux does. */
export const HAS_PROCESS_STATUS = existsSync('/proc/self/status')

/** Memory of this process in bytes. */
export interface Memory {
  /** Everything in memory, pages of mapped files included. */
  resident: number
  /** What is the process's own: mapped files are not in it. */
  anonymous: number
  /** The most that was resident since the last `forgetPeak()`. */
  peak: number
}

/** Asks the kernel how much memory this process has now. */
export function memory(): Memory {
  const status = readFileSync('/proc/self/status', 'utf8')
  const field = (name: string) => Number(new RegExp(`^${name}:\\s+(\\d+) kB`, 'm').exec(status)?.[1]) * 1024
  return { resident: field('VmRSS'), anonymous: field('RssAnon'), peak: field('VmHWM') }
}

/** Sets the peak to what is resident now. */
export function forgetPeak(): void {
  writeFileSync('/proc/self/clear_refs', '5')
}

/**
 * Bytes that this process has caused to be written to disk so far: the kernel counts each page of a file when it becomes
 * dirty, also through a writable map, and again when it does so after it was written.
 */
export function writtenBytes(): number {
  const text = readFileSync('/proc/self/io', 'utf8')
  return Number(/^write_bytes: (\d+)/m.exec(text)?.[1])
}
