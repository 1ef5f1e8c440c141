import type { FileProgress } from '../index.js'
import { BarDisplay } from './bar-display.js'
import { JsonDisplay } from './json-display.js'
import { LineDisplay } from './line-display.js'
import type { Output } from './output.js'

/** How far a command is. All sizes are bytes. */
export interface Whole {
  /** What is worked on now. */
  label: string
  /** Of everything the command does. */
  loaded: number
  total: number
  bytesPerSecond: number
  /** Files in motion. */
  files: readonly FileProgress[]
}

/** Shows progress on stderr. */
export interface Display {
  show(whole: Whole): void
  /** Takes away what moves; nothing is shown any more. */
  stop(): void
}

/** Bars for a person at a terminal, lines now and then for a log, JSON lines for a program, nothing with `--quiet`. */
export function openDisplay({ json, quiet, stderr }: Output): Display {
  if (quiet) return { show: () => {}, stop: () => {} }
  if (json) return new JsonDisplay(stderr)
  return stderr.isInteractive ? new BarDisplay(stderr) : new LineDisplay(stderr)
}
