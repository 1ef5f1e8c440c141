import type { Manifest } from '../index.js'
import { CommandError } from './failure.js'
import { QUANT_COLUMNS, quantRow } from './quant.js'
import { askQuants } from './question.js'
import type { Session } from './session.js'
import { count } from './text.js'

const EXPLANATION =
  'A quant is the same model in another number format: a smaller one needs less memory and is less exact.'

/** The quants to take where none is named: the only one, else what the person at the terminal says, which may be none. */
export async function chooseQuants(session: Session, manifest: Manifest): Promise<string[]> {
  const names = Object.keys(manifest.quants)
  const [only] = names
  if (only === undefined) throw nothingToLoad(session, manifest)
  if (names.length === 1) return [only]
  if (!canAsk(session)) throw severalQuants(session, manifest)
  explainChoice(session, manifest)
  return askQuants(session, manifest)
}

function canAsk({ output }: Session): boolean {
  return process.stdin.isTTY === true && output.stderr.isInteractive && !output.json && !output.quiet
}

function explainChoice({ output }: Session, manifest: Manifest): void {
  const rows = Object.values(manifest.quants).map((quant, index) => {
    const { cells, style } = quantRow(quant, manifest)
    return { cells: [String(index + 1), ...cells], style }
  })
  output.note(`${manifest.repo} has ${count(rows.length, 'quant')}.`, 'bold')
  output.note(EXPLANATION)
  output.noteTable([{ title: '#', align: 'right' }, ...QUANT_COLUMNS], rows)
}

function severalQuants(session: Session, manifest: Manifest): CommandError {
  const { repo } = manifest
  const quants = Object.values(manifest.quants)
  session.output.noteTable(
    QUANT_COLUMNS,
    quants.map((quant) => quantRow(quant, manifest)),
  )
  const names = quants.map(({ name }) => name)
  const example = session.commandLine('pull', repo, '-q', names[0] ?? '')
  return new CommandError(
    'ERR_INVALID_ARGUMENT',
    `${repo} has ${count(quants.length, 'quant')}, name those to download: ${names.join(', ')}`,
    [EXPLANATION, `For example: ${example}`],
    { repo, quants: quants.map(({ name, format, status, size }) => ({ name, format, status, size })) },
  )
}

function nothingToLoad(session: Session, { repo }: Manifest): CommandError {
  const hints = [`Single files can be downloaded: ${session.commandLine('pull', repo, '-f', 'PATH')}`]
  return new CommandError('ERR_QUANT_NOT_FOUND', `${repo} has no weights that an engine could load`, hints, {
    repo,
  })
}
