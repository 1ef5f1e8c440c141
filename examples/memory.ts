import { existsSync, readFileSync } from 'node:fs'

/** Memory of this process in bytes. */
export interface Memory {
  /** Everything that is in memory, mapped files included. */
  resident: number
  /** Without mapped files: what other processes cannot use. Only Linux tells it; elsewhere the same as `resident`. */
  anonymous: number
  /** The most that was ever resident. */
  peak: number
}

/** Asks the system how much memory this process takes now. */
export function memory(): Memory {
  const resident = process.memoryUsage.rss()
  if (!existsSync('/proc/self/status')) {
    return { resident, anonymous: resident, peak: process.resourceUsage().maxRSS * 1024 }
  }
  const status = readFileSync('/proc/self/status', 'utf8')
  const field = (name: string) => Number(new RegExp(`^${name}:\\s+(\\d+) kB`, 'm').exec(status)?.[1]) * 1024
  return { resident: field('VmRSS'), anonymous: field('RssAnon'), peak: field('VmHWM') }
}
