/** What a test sends to a child process. */
export interface Call {
  id: number
  command: string
  parameters: unknown[]
}

/** What comes back: the result of a call, its error, or an event. */
export type Answer =
  | { id: number; result: unknown }
  | { id: number; error: { message: string; code?: string } }
  | { event: string; value: unknown }

// biome-ignore lint/suspicious/noExplicitAny: each command knows the types of its own parameters.
type Commands = Record<string, (...parameters: any[]) => unknown>

/** The child's side: runs the commands it is sent, each as soon as it arrives, and answers when it is done. */
export function serveCommands(commands: Commands): void {
  process.on('message', async ({ id, command, parameters }: Call) => {
    try {
      const run = commands[command]
      if (!run) throw new Error(`this child has no command ${command}`)
      send({ id, result: await run(...parameters) })
    } catch (error) {
      const { message, code } = error as Error & { code?: string }
      send({ id, error: { message, ...(code && { code }) } })
    }
  })
}

/** Tells the test something between the answers: progress, for example. */
export function emitEvent(event: string, value: unknown): void {
  send({ event, value })
}

function send(answer: Answer): void {
  if (process.connected) process.send?.(answer)
}
