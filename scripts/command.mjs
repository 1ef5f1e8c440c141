// Runs programs by argument array: no shell sees a path, so spaces and quotes in one mean nothing.
import { spawn, spawnSync } from 'node:child_process'
import { dirname } from 'node:path'
import { fileURLToPath } from 'node:url'
import { stripVTControlCharacters } from 'node:util'

/** The folder of package.json. */
export const ROOT = dirname(dirname(fileURLToPath(import.meta.url)))

/** A step that could not be done; the message says what to do about it. */
export class StepError extends Error {}

/** Says what takes so long. */
export function say(text) {
  console.log(`model-cache: ${text}`)
}

/** Runs a program to its end with its output shown, and returns its exit status and what it printed. */
export function run(program, args, { env = {}, cwd = ROOT } = {}) {
  return new Promise((resolve, reject) => {
    const child = spawn(program, args, {
      cwd,
      env: { ...process.env, ...env },
      stdio: ['ignore', 'pipe', 'pipe'],
    })
    const output = []
    child.stdout.on('data', (piece) => {
      process.stdout.write(piece)
      output.push(piece)
    })
    child.stderr.on('data', (piece) => {
      process.stderr.write(piece)
      output.push(piece)
    })
    child.once('error', (error) => reject(new StepError(`${program} could not be started: ${error.message}`)))
    child.once('close', (status, signal) => {
      const text = stripVTControlCharacters(Buffer.concat(output).toString())
      resolve({ status: signal ? 1 : status, text })
    })
  })
}

/** The same, failing with `advice` unless the program ends with status 0. */
export async function mustRun(program, args, advice, options) {
  const { status, text } = await run(program, args, options)
  if (status !== 0) throw new StepError(advice)
  return text
}

/** Runs a program on this terminal and returns its exit status. Ctrl-C is the program's to answer. */
export function runInteractive(program, args) {
  const ignore = () => {}
  process.on('SIGINT', ignore)
  return new Promise((resolve, reject) => {
    const child = spawn(program, args, { cwd: ROOT, stdio: 'inherit' })
    child.once('error', reject)
    child.once('close', (status, signal) => {
      process.off('SIGINT', ignore)
      resolve(signal ? 1 : status)
    })
  })
}

/** What a program prints, or undefined if it is not there or fails. */
export function ask(program, args, env = {}) {
  const { status, stdout } = spawnSync(program, args, {
    cwd: ROOT,
    encoding: 'utf8',
    env: { ...process.env, ...env },
  })
  return status === 0 ? stdout.trim() : undefined
}
