import type { FileProgress, Progress } from '../index.js'
import { openDisplay } from './display.js'
import type { Session } from './session.js'

/** Shows the progress of one call; `stop` before anything else is written to the terminal. */
export function follow(
  session: Session,
  label: string,
): { onProgress(progress: Progress): void; stop(): void } {
  const display = openDisplay(session.output)
  session.atEnd(() => display.stop())
  return {
    onProgress(progress) {
      const { loaded, total, bytesPerSecond } = progress
      display.show({ label, loaded, total, bytesPerSecond, files: filesOf(progress) })
    },
    stop: () => display.stop(),
  }
}

/** What reads or copies the store has one file in motion. */
function filesOf({ files, path, fileLoaded, fileTotal }: Progress): FileProgress[] {
  if (files.length > 0 || path === undefined || fileLoaded === undefined || fileTotal === undefined)
    return files
  return [{ path, loaded: fileLoaded, total: fileTotal }]
}
