import type { Manifest, Progress } from '@tabagent/model-cache'
import { SingleBar } from 'cli-progress'

/** Bytes as people read them, in the decimal units of the Hub. */
export function formatSize(bytes: number): string {
  const units = ['B', 'kB', 'MB', 'GB', 'TB']
  const power = Math.min(units.length - 1, Math.max(0, Math.floor(Math.log10(Math.abs(bytes) || 1) / 3)))
  const digits = power === 0 ? 0 : 1
  return `${(bytes / 1000 ** power).toFixed(digits)} ${units[power]}`
}

/** Milliseconds as people read them. */
export function formatTime(milliseconds: number): string {
  return milliseconds < 1000 ? `${milliseconds.toFixed(1)} ms` : `${(milliseconds / 1000).toFixed(2)} s`
}

/** Prints what the scan found, one line per quant. */
export function printQuants(manifest: Manifest): void {
  const rows = Object.values(manifest.quants).map((quant) => [
    quant.name,
    quant.format,
    String(quant.files.length),
    formatSize(quant.size),
    quant.downloaded > 0 && quant.status !== 'downloaded'
      ? `${quant.status}, ${formatSize(quant.downloaded)} stored`
      : quant.status,
  ])
  printTable(['quant', 'format', 'files', 'size', 'status'], rows)
}

/** A progress bar for `onProgress`; on anything but a terminal it prints nothing. */
export class DownloadBar {
  readonly #bar = new SingleBar({
    format: '{bar} {percentage}%  {loaded} of {all}  {speed}/s  {file}',
    barCompleteChar: '#',
    barIncompleteChar: '.',
    barsize: 30,
    hideCursor: true,
    clearOnComplete: false,
  })
  #started = false

  readonly onProgress = (progress: Progress): void => {
    const fields = {
      loaded: formatSize(progress.loaded),
      all: formatSize(progress.total),
      speed: formatSize(progress.bytesPerSecond),
      file: progress.path ?? '',
    }
    if (this.#started) this.#bar.update(progress.loaded, fields)
    else this.#bar.start(progress.total, progress.loaded, fields)
    this.#started = true
  }

  stop(): void {
    if (this.#started) this.#bar.stop()
  }
}

function printTable(head: string[], rows: string[][]): void {
  const lines = [head, ...rows]
  const widths = head.map((_, column) => Math.max(...lines.map((line) => line[column]?.length ?? 0)))
  for (const line of lines) {
    console.log(`  ${line.map((cell, column) => cell.padEnd(widths[column] ?? 0)).join('  ')}`.trimEnd())
  }
}
