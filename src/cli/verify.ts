import type { Command } from 'commander'
import type { VerifyReport } from '../index.js'
import { commandLine } from './command-line.js'
import { NOT_INTACT } from './failure.js'
import { follow } from './follow.js'
import { perform, type Session } from './session.js'
import { formatSize } from './size.js'
import { count } from './text.js'

interface VerifyFlags {
  repair?: boolean
}

export function addVerify(program: Command): void {
  program
    .command('verify')
    .description('compare every stored byte with its checksum')
    .argument('[repo]', 'this repository only')
    .option('--repair', 'fetch damaged blocks again')
    .action(perform(verify))
}

async function verify(session: Session<VerifyFlags>, repo: string | undefined): Promise<void> {
  const { signal, output } = session
  const { repair } = session.options
  const cache = await (repair ? session.open() : session.openToRead())
  const { onProgress, stop } = follow(session, 'Checking')
  const options = { ...(repo !== undefined && { repo }), ...(repair && { repair }) }
  const report = await cache.verify({ signal, onProgress, ...options })
  stop()
  if (!isIntact(report)) session.status = NOT_INTACT
  output.result(report, () => printReport(session, report))
  noteNext(session, report)
}

function isIntact({ damaged, missing, records }: VerifyReport): boolean {
  return missing.length === 0 && [...damaged, ...records].every(({ repaired }) => repaired)
}

function printReport({ output }: Session, report: VerifyReport): void {
  for (const { repo, path, offset, length, repaired, why } of report.damaged) {
    const reason = why === undefined ? '' : `: ${why}`
    output.print(
      `${repaired ? 'repaired' : 'damaged'}  ${repo}/${path}, ${formatSize(length)} at byte ${offset}${reason}`,
      repaired ? 'yellow' : 'red',
    )
  }
  for (const { key, why, repaired } of report.records) {
    output.print(`${repaired ? 'repaired' : 'damaged'}  record ${key}: ${why}`, repaired ? 'yellow' : 'red')
  }
  for (const { repo, path } of report.missing) output.print(`missing  ${repo}/${path}`, 'red')
  const verdict = isIntact(report) ? 'all is intact' : 'not all is intact'
  const checked = `${count(report.files, 'file')}, ${formatSize(report.bytes)} checked`
  output.print(`${checked}: ${verdict}`, isIntact(report) ? 'green' : 'red')
}

/** What to do about what was found. */
function noteNext(session: Session<VerifyFlags>, report: VerifyReport): void {
  const { output, options } = session
  const left = report.damaged.filter(({ repaired }) => !repaired)
  const records = report.records.filter(({ repaired }) => !repaired)
  if (left.length + records.length > 0 && !options.repair) {
    output.suggest('Repair what is damaged', session.commandLine('verify', '--repair'))
  } else for (const file of left) noteReplacement(session, file)
  for (const { repo, path } of report.missing) {
    output.suggest('Download what is missing', session.commandLine('pull', repo, '-f', path))
  }
  if (report.orphans > 0) {
    const what = `${count(report.orphans, 'leftover')} that nothing refers to`
    output.suggest(`${what} can go`, session.commandLine('prune'), 'dim')
  }
}

/** What is left where the repair did not succeed. */
function noteReplacement({ output, options }: Session, { repo, path }: { repo: string; path: string }): void {
  const [remove, pull] = ['rm', 'pull'].map((name) => commandLine(options, name, repo, '-f', path))
  output.suggest('Replace what is damaged', `${remove} && ${pull}`)
}
