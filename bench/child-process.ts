import { type SpawnOptions, spawn } from 'node:child_process'
import { once } from 'node:events'
import { dirname } from 'node:path'
import { fileURLToPath } from 'node:url'

/** The folder of package.json, two above build/bench. */
export const ROOT = dirname(dirname(dirname(fileURLToPath(import.meta.url))))

/** A program that has ended well. */
export interface Finished {
  /** Milliseconds from its start to its end, both included. */
  wall: number
  output: string
}

/** Runs a program; its errors are shown, its output is returned. Fails unless it ends with status 0. */
export function runProgram(
  program: string,
  args: readonly string[],
  options: SpawnOptions = {},
): Promise<Finished> {
  const start = performance.now()
  const child = spawn(program, args, { cwd: ROOT, stdio: ['ignore', 'pipe', 'inherit'], ...options })
  const pieces: Buffer[] = []
  child.stdout?.on('data', (piece: Buffer) => pieces.push(piece))
  return new Promise((resolve, reject) => {
    child.once('error', reject)
    child.once('close', (status, signal) => {
      const wall = performance.now() - start
      if (status === 0) resolve({ wall, output: Buffer.concat(pieces).toString() })
      else reject(new Error(`${program} ${args.join(' ')} ended with ${signal ?? status}`))
    })
  })
}

/** A program under way, to be killed. */
export interface Started {
  /** Ends it as `kill -9` does, and returns when it has ended. */
  kill(): Promise<void>
}

/** Starts a program whose output nobody needs. */
export function startProgram(program: string, args: readonly string[], env: NodeJS.ProcessEnv): Started {
  const child = spawn(program, args, { cwd: ROOT, stdio: 'ignore', env })
  const ended = once(child, 'exit')
  return {
    async kill() {
      child.kill('SIGKILL')
      await ended
    },
  }
}

/** Starts a script of bench/child. */
export function startScript<P>(name: string, parameters: P): Started {
  return startProgram(process.execPath, [scriptFile(name), JSON.stringify(parameters)], childEnvironment())
}

function scriptFile(name: string): string {
  return fileURLToPath(new URL(`child/${name}.js`, import.meta.url))
}

/** Runs a script of bench/child in a process of its own, and returns the JSON value it prints. */
export async function runScript<P, R>(
  name: string,
  parameters: P,
  node: string = process.execPath,
): Promise<{ wall: number; result: R }> {
  const { wall, output } = await runProgram(node, [scriptFile(name), JSON.stringify(parameters)], {
    env: childEnvironment(),
  })
  return { wall, result: JSON.parse(output) as R }
}

/** Without what belongs to the user's own Hub, which a local one refuses, and with no proxy in between. */
export function childEnvironment(): NodeJS.ProcessEnv {
  const kept = Object.entries(process.env).filter(
    ([name]) => !/^(HF_|HUGGING_FACE_|NODE_OPTIONS$)/.test(name),
  )
  return { ...Object.fromEntries(kept), HF_TOKEN_PATH: `${ROOT}/no-token`, NO_PROXY: '127.0.0.1' }
}
