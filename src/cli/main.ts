#!/usr/bin/env node
import { CommanderError } from 'commander'
import { explainUsage, tell } from './failure.js'
import { endWithReader, Output } from './output.js'
import { createProgram } from './program.js'

endWithReader()
const program = createProgram()
try {
  await program.parseAsync()
} catch (error) {
  if (!(error instanceof CommanderError)) throw error
  // Help and version were asked for and are printed.
  if (error.code === 'commander.help') {
    process.stderr.write(program.helpInformation())
    process.exitCode = 2
  } else if (error.exitCode !== 0) {
    const failure = explainUsage(error)
    tell(new Output({ json: process.argv.includes('--json') }), failure)
    process.exitCode = failure.status
  }
}
