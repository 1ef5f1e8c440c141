import { join } from 'node:path'
import { ROOT, runProgram } from './child-process.js'

const CARGO = join(ROOT, 'scripts', 'cargo.mjs')

/** Runs an example of the storage crate. */
export async function runExample(example: string, args: readonly string[]): Promise<void> {
  const cargo = [CARGO, 'run', '--release', '-p', 'tabagent-storage', '--example', example]
  await runProgram(process.execPath, [...cargo, '--', ...args])
}

/** The rounds that a bench of the storage crate prints, each a line of JSON. */
export async function runBench<Round>(bench: string, args: readonly string[]): Promise<Round[]> {
  const cargo = [CARGO, 'bench', '-p', 'tabagent-storage', '--bench', bench]
  const { output } = await runProgram(process.execPath, [...cargo, '--', ...args])
  const lines = output.split('\n').filter((line) => line.startsWith('{'))
  return lines.map((line) => JSON.parse(line) as Round)
}
