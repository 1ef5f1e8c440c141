import type { Command, Option } from 'commander'
import { type Manifest, ModelCache } from '../index.js'
import { isHere } from './quant.js'
import { printable } from './text.js'

/** What the words before the one to complete say. */
interface Position {
  command: Command | undefined
  /** The option whose value is to be completed. */
  option: Option | undefined
  operands: string[]
  /** Values of the options so far, by their long names. */
  values: Map<string, string>
}

interface Candidate {
  text: string
  description: string
}

/** The command behind the completion scripts. It never fails: a shell has no place for a message. */
export function addComplete(program: Command): void {
  program
    .command('complete', { hidden: true })
    .argument('[words...]', 'words of the command line, the last one to be completed')
    .action(async (words: string[]) => {
      const found = await candidates(program, words.slice(0, -1), words.at(-1) ?? '').catch(() => [])
      for (const { text, description } of found) process.stdout.write(`${text}\t${description}\n`)
    })
}

async function candidates(program: Command, before: string[], word: string): Promise<Candidate[]> {
  const position = read(program, before)
  const all = await possible(program, position, word)
  // A name that a terminal would obey is not put on a command line.
  const harmless = all.filter(({ text }) => text === printable(text))
  return harmless.filter(({ text }) => text.toLowerCase().startsWith(word.toLowerCase()))
}

async function possible(program: Command, position: Position, word: string): Promise<Candidate[]> {
  const { command, option, operands } = position
  if (option?.argChoices) return option.argChoices.map(plain)
  if (option) return readStore(position, (manifests) => valuesOf(option, position, manifests))
  if (word.startsWith('-')) return optionsOf(program, command)
  if (!command) return program.createHelp().visibleCommands(program).map(describe)
  const argument = command.registeredArguments[operands.length]
  if (argument?.argChoices) return argument.argChoices.map(plain)
  return readStore(position, (manifests, cache) => {
    if (argument?.name() === 'repo') return manifests.map(({ repo }) => plain(repo))
    return argument?.name() === 'path' ? storedPaths(cache, position) : []
  })
}

function read(program: Command, words: string[]): Position {
  const position: Position = { command: undefined, option: undefined, operands: [], values: new Map() }
  for (const word of words) {
    if (position.option) {
      position.values.set(position.option.attributeName(), word)
      position.option = undefined
    } else if (word.startsWith('-')) position.option = valueOption(program, position.command, word)
    else if (position.command) position.operands.push(word)
    else position.command = program.commands.find((command) => command.name() === word)
  }
  return position
}

/** The option of that spelling if its value comes in the next word. */
function valueOption(program: Command, command: Command | undefined, word: string): Option | undefined {
  const options = [...(command?.options ?? []), ...program.options]
  return options.find((option) => option.required && (option.short === word || option.long === word))
}

function optionsOf(program: Command, command: Command | undefined): Candidate[] {
  const options = [...(command?.options ?? []), ...program.options]
  const help = { text: '--help', description: 'explain a command' }
  return [...options.map(({ long, description }) => ({ text: long ?? '', description })), help]
}

/** Values of an option that the store knows. */
function valuesOf(option: Option, { operands, command }: Position, manifests: Manifest[]): Candidate[] {
  const [repo] = operands
  const named = manifests.filter((manifest) => manifest.repo === repo)
  if (option.attributeName() === 'revision') return named.map(({ revision }) => plain(revision))
  const quants = named.flatMap((manifest) => Object.values(manifest.quants))
  if (option.attributeName() === 'quant') {
    const wanted = command?.name() === 'pull' ? quants : quants.filter(isHere)
    return wanted.map(({ name, format }) => ({ text: name, description: format }))
  }
  if (option.attributeName() !== 'file') return []
  const files = named.flatMap(({ sharedFiles }) => sharedFiles).concat(quants.flatMap((quant) => quant.files))
  return files.map(({ path, role }) => ({ text: path, description: role }))
}

function storedPaths(cache: ModelCache, { operands: [repo = ''], values }: Position): Candidate[] {
  const revision = values.get('revision')
  const files = cache.listFiles(repo, revision === undefined ? {} : { revision })
  return files.map(({ path, role }) => ({ text: path, description: role }))
}

/** Reads the store as it is; it is not made where there is none. Each text once. */
async function readStore(
  { values }: Position,
  find: (manifests: Manifest[], cache: ModelCache) => Candidate[],
): Promise<Candidate[]> {
  const path = values.get('cacheDir')
  const endpoint = values.get('endpoint')
  const cache = await ModelCache.open({
    ...(path !== undefined && { path }),
    ...(endpoint !== undefined && { endpoint }),
    offline: true,
    readOnly: true,
  })
  try {
    const found = find(cache.listManifests(), cache)
    return [...new Map(found.map((candidate) => [candidate.text, candidate])).values()]
  } finally {
    await cache.close()
  }
}

const plain = (text: string): Candidate => ({ text, description: '' })

const describe = (command: Command): Candidate => ({
  text: command.name(),
  description: command.description(),
})
