import { cpus, loadavg, release, totalmem } from 'node:os'
import { fileSystem } from './disk.js'
import { GIB } from './figure.js'

/** What the figures were measured on, in one line each. */
export function describeMachine(folder: string): string[] {
  const processors = cpus()
  return [
    `${processors.length} cores (${processors[0]?.model.trim()}), ${(totalmem() / GIB).toFixed(0)} GiB of memory`,
    `${process.platform} ${release()}, ${fileSystem(folder)}, Node ${process.versions.node}`,
    `load average at the start: ${loadavg()
      .map((load) => load.toFixed(1))
      .join(' ')}`,
  ]
}
