import { Command } from 'commander'
import { addCat } from './cat.js'
import { addComplete } from './complete.js'
import { addCompletion } from './completion.js'
import { addExport } from './export.js'
import { readFolder, readRate } from './flag.js'
import { addImport } from './import.js'
import { addInfo } from './info.js'
import { addInspect } from './inspect.js'
import { addLs } from './ls.js'
import { addPath } from './path.js'
import { addPrune } from './prune.js'
import { addPull } from './pull.js'
import { addRm } from './rm.js'
import { addScan } from './scan.js'
import { addVerify } from './verify.js'
import { packageVersion } from './version.js'

const EPILOG = `
Exit status: 0 done, 1 failed, 2 wrong usage, 3 not found, 4 damaged bytes, 130 interrupted.
Results go to stdout, everything else to stderr.`

/** The command line. What it cannot parse is thrown as a CommanderError, and not printed. */
export function createProgram(): Command {
  const program = new Command('model-cache')
    .description(
      'One store of model files on this machine: see what a repository has, download, read, share.',
    )
    .version(packageVersion(), '--version', 'print the version')
    .helpOption('-h, --help', 'explain a command')
    .helpCommand('help [command]', 'explain a command')
    .configureHelp({ showGlobalOptions: true })
    .exitOverride()
    .configureOutput({ outputError: () => {} })
    .addHelpText('after', EPILOG)
  addGlobalOptions(program)
  for (const add of [
    ...[addScan, addPull, addLs, addCat, addInspect, addVerify],
    ...[addRm, addPrune, addPath, addExport, addImport],
    ...[addInfo, addCompletion, addComplete],
  ])
    add(program)
  return program
}

function addGlobalOptions(program: Command): void {
  program
    .option(
      '--cache-dir <dir>',
      "folder of the store (MODEL_CACHE_DIR, else in the platform's cache folder)",
      readFolder,
    )
    .option('--endpoint <url>', 'where repositories are (HF_ENDPOINT, else https://huggingface.co)')
    .option('--token <token>', 'access token (HF_TOKEN, else the token file of huggingface_hub)')
    .option('--revision <name>', 'branch, tag or commit (main)')
    .option('--offline', 'never use the network (HF_HUB_OFFLINE)')
    .option('--limit-rate <size>', 'most to download in a second, such as 10MB', readRate)
    .option('--json', 'print one JSON document; progress as JSON lines on stderr')
    .option('--quiet', 'print results and failures only')
}
