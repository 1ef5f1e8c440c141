import { emitEvent, serveCommands } from '../support/child-commands.js'

const location = new URL('../../../scripts/setup-lock.mjs', import.meta.url)
const { exclusively } = await import(location.href)

let end: (() => void) | undefined
let finished: Promise<void> | undefined

console.log = (line: unknown) => emitEvent('said', line)

serveCommands({
  /** Returns once the step runs. */
  begin: (lock: string) =>
    new Promise<void>((begun) => {
      finished = exclusively(() => {
        begun()
        return new Promise<void>((ended) => {
          end = ended
        })
      }, lock)
    }),
  isRunning: () => end !== undefined,
  finish: async () => {
    end?.()
    await finished
  },
})
