import { type ChildProcessWithoutNullStreams, spawn } from 'node:child_process'
import { once } from 'node:events'
import { resolve } from 'node:path'
import { text } from 'node:stream/consumers'
import type { ExecutionContext } from 'ava'
import type { LocalHub, LocalHubOptions } from '../../local-hub/index.js'
import { makeFolder } from '../support/folder.js'
import { type Repositories, startHub } from '../support/hub.js'
import { Terminal, type TerminalSize } from './terminal.js'

/** The program as it is installed: package.json names this file. */
const PROGRAM = resolve('dist/cli/main.js')

/** How a command ended, and what it wrote. */
export interface Ended {
  status: number | null
  stdout: string
  stderr: string
}

/** A person's machine: a store, a Hub, and the command line over both. */
export class Bench {
  readonly hub: LocalHub
  readonly store: string
  readonly environment: NodeJS.ProcessEnv
  readonly #t: ExecutionContext

  constructor(t: ExecutionContext, hub: LocalHub, store: string) {
    this.#t = t
    this.hub = hub
    this.store = store
    // Nothing of the environment that the tests run in.
    const { PATH, HOME, SystemRoot } = process.env
    this.environment = {
      ...{ PATH, HOME, SystemRoot, TERM: 'xterm-256color' },
      ...{ HF_ENDPOINT: hub.url, MODEL_CACHE_DIR: store, HF_HOME: store },
    }
  }

  /** Starts a command without a terminal. */
  start(
    args: readonly string[],
    environment: NodeJS.ProcessEnv = {},
    cwd = process.cwd(),
  ): ChildProcessWithoutNullStreams {
    const env = { ...this.environment, ...environment }
    const child = spawn(process.execPath, [PROGRAM, ...args], { cwd, env })
    this.#t.teardown(() => child.kill('SIGKILL'))
    return child
  }

  /** Runs a command to its end without a terminal. */
  async run(...args: string[]): Promise<Ended> {
    return ended(this.start(args))
  }

  /** Runs a command that must succeed and returns what it printed. */
  async print(...args: string[]): Promise<string> {
    const { status, stdout, stderr } = await this.run(...args)
    this.#t.is(status, 0, `${args.join(' ')}: ${stderr}`)
    return stdout
  }

  /** Runs a command with --json and returns its document. */
  // biome-ignore lint/suspicious/noExplicitAny: each command has a document of its own.
  async json(...args: string[]): Promise<{ status: number | null; document: any; stderr: string }> {
    const { status, stdout, stderr } = await this.run('--json', ...args)
    return { status, document: JSON.parse(stdout), stderr }
  }

  /** Starts a shell in a terminal; `"$NODE" "$PROGRAM"` is the program. */
  shell(): Terminal {
    const env = { ...this.environment, NODE: process.execPath, PROGRAM }
    return Terminal.start(this.#t, ['bash', '--norc', '--noprofile', '-i'], {}, env)
  }

  /** Starts a command in a terminal. */
  terminal(args: readonly string[], size: TerminalSize = {}, environment: NodeJS.ProcessEnv = {}): Terminal {
    const env = { ...this.environment, ...environment }
    return Terminal.start(this.#t, [process.execPath, PROGRAM, ...args], size, env)
  }
}

/** Waits for a command to end. */
export async function ended(child: ChildProcessWithoutNullStreams): Promise<Ended> {
  const [[status], stdout, stderr] = await Promise.all([
    once(child, 'close'),
    text(child.stdout),
    text(child.stderr),
  ])
  return { status, stdout, stderr }
}

/** A bench with a hub of these repositories. */
export async function openBench(
  t: ExecutionContext,
  repositories: Repositories,
  options: Omit<LocalHubOptions, 'root'> = {},
): Promise<Bench> {
  const { hub } = await startHub(t, repositories, options)
  return new Bench(t, hub, await makeFolder(t))
}
