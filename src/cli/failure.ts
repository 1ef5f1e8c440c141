import type { CommanderError } from 'commander'
import { type ErrorCode, isModelCacheError } from '../index.js'
import { commandLine } from './command-line.js'
import { hintsFor, type Situation } from './hint.js'
import { Interrupted } from './interrupt.js'
import type { Output } from './output.js'

/** Exit statuses: 0 is for what was done. An interrupted command ends with 128 and the signal's number. */
const FAILED = 1
const WRONG_USAGE = 2
const NOT_FOUND = 3
/** Also of a check that found damage. */
export const NOT_INTACT = 4

const STATUSES: Partial<Record<ErrorCode, number>> = {
  ERR_INVALID_ARGUMENT: WRONG_USAGE,
  ERR_REPO_NOT_FOUND: NOT_FOUND,
  ERR_REVISION_NOT_FOUND: NOT_FOUND,
  ERR_FILE_NOT_FOUND: NOT_FOUND,
  ERR_QUANT_NOT_FOUND: NOT_FOUND,
  ERR_INTEGRITY: NOT_INTACT,
  ERR_CORRUPT: NOT_INTACT,
}

/** Exit status of a command that fails with this code. */
export function exitStatus(code: ErrorCode): number {
  return STATUSES[code] ?? FAILED
}

/** Failures after which the same command goes on with what is kept. */
const RESUMABLE: readonly ErrorCode[] = [
  'ERR_NETWORK',
  'ERR_RATE_LIMITED',
  'ERR_HTTP',
  'ERR_NO_SPACE',
  'ERR_IN_USE',
  'ERR_IO',
]

/** Code of an interrupted command in the document of `--json`; all others are those of the library. */
const INTERRUPTED = 'ERR_INTERRUPTED'

/** A failure that the command itself finds; `fields` go into the document of `--json`. */
export class CommandError extends Error {
  readonly code: ErrorCode
  readonly hints: string[]
  readonly fields: Record<string, unknown>

  constructor(code: ErrorCode, message: string, hints: string[] = [], fields: Record<string, unknown> = {}) {
    super(message)
    this.code = code
    this.hints = hints
    this.fields = fields
  }
}

/** What is said of a failure. */
export interface Failure {
  status: number
  code: string
  message: string
  /** What to do next, in lines. */
  hints: string[]
  fields: Record<string, unknown>
}

/** Finds the words for whatever was thrown. */
export function explain(error: unknown, situation: Situation): Failure {
  if (error instanceof Interrupted) {
    return { status: error.status, code: INTERRUPTED, message: error.message, hints: [], fields: {} }
  }
  if (error instanceof CommandError) {
    const { code, message, hints, fields } = error
    return { status: exitStatus(code), code, message, hints, fields }
  }
  if (isModelCacheError(error)) {
    const { code, message } = error
    const { name, cause, stack, ...fields } = error
    return { status: exitStatus(code), code, message, hints: hintsFor(error, situation), fields }
  }
  const message = error instanceof Error ? error.message : String(error)
  return { status: FAILED, code: 'ERR_IO', message, hints: [], fields: {} }
}

/** Whether the same command can go on with what is kept. */
export function isResumable({ code }: Failure): boolean {
  return code === INTERRUPTED || (RESUMABLE as readonly string[]).includes(code)
}

/** What a parser of arguments says, without its own prefix and brackets, and how to see what the `command` it read takes. */
export function explainUsage(error: CommanderError, command: string | undefined): Failure {
  const [message = '', ...hints] = error.message.replace(/^error: /, '').split('\n')
  const help = command === undefined ? commandLine({}, '--help') : commandLine({}, command, '--help')
  return {
    status: WRONG_USAGE,
    code: 'ERR_INVALID_ARGUMENT',
    message,
    hints: [...hints.filter(Boolean).map((hint) => hint.replace(/^\((.*)\)$/, '$1')), `See: ${help}`],
    fields: {},
  }
}

/** Tells the failure: with `--json` as the one document on stdout, else on stderr. */
export function tell(output: Output, { code, message, hints, fields }: Failure): void {
  if (output.json) {
    const hint = hints.length > 0 ? { hint: hints.join('\n') } : {}
    output.document({ error: { ...fields, code, message, ...hint } })
    return
  }
  const interrupted = code === INTERRUPTED
  output.complain(interrupted ? message : `${code}: ${message}`, hints, interrupted ? undefined : 'red')
}
