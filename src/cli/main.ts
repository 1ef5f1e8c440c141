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
  // Help and version are printed already, also the help that a missing command gets.
  if (error.exitCode !== 0) {
    const command = program.commands.find((command) => command.name() === program.args[0])
    const failure = explainUsage(error, command?.name())
    if (error.code !== 'commander.help') tell(new Output({ json: process.argv.includes('--json') }), failure)
    process.exitCode = failure.status
  }
}
