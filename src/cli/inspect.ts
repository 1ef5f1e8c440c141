import type { Command } from 'commander'
import type { GraphPort, Inspection, MetadataValue, TensorInfo } from '../index.js'
import type { Output, Row } from './output.js'
import { perform, type Session } from './session.js'
import { formatSize } from './size.js'
import type { Column } from './table.js'
import { truncate } from './text.js'

interface InspectFlags {
  tensors?: boolean
}

const TENSOR_COLUMNS: readonly Column[] = [
  { title: 'tensor', shrinks: true },
  { title: 'dtype' },
  { title: 'shape' },
  { title: 'offset', align: 'right', dispensable: 1 },
  { title: 'size', align: 'right' },
]

/** Longer values of the metadata (templates of chats) are shortened. */
const LONGEST = 200

export function addInspect(program: Command): void {
  program
    .command('inspect')
    .description('see what a model file says of itself, also before it is downloaded')
    .argument('<repo>', 'name or owner/name')
    .argument('<path>', 'path of the file in the repository')
    .option('--tensors', 'list every tensor')
    .action(perform(inspect))
}

async function inspect(session: Session<InspectFlags>, repo: string, path: string): Promise<void> {
  const { output, options, signal } = session
  const cache = await session.openToRead()
  const inspection = await cache.inspect(repo, path, { ...session.revision, signal })
  output.result(inspection, () => {
    if (options.tensors) output.table(TENSOR_COLUMNS, inspection.tensors.map(tensorRow))
    else printInspection(output, inspection)
  })
}

function tensorRow({ name, dtype, shape, offset, length, location }: TensorInfo): Row {
  const place = location === undefined ? `${offset}` : `${offset} of ${location}`
  return { cells: [name, dtype, `[${shape.join(', ')}]`, place, formatSize(length)] }
}

function printInspection(output: Output, inspection: Inspection): void {
  const { format, version, architecture, producer, size, parameters, tensors, metadata, graph } = inspection
  const opsets = Object.entries(graph?.opsets ?? {}).map(([domain, opset]) => `${domain} ${opset}`)
  const lines: [string, string | undefined][] = [
    ['format', version === undefined ? format : `${format} ${version}`],
    ['architecture', architecture],
    ['producer', producer],
    ['size', formatSize(size)],
    ['parameters', parameters.toLocaleString('en')],
    ['tensors', `${tensors.length}: ${dtypes(tensors)}`],
    ['opsets', graph && opsets.join(', ')],
    ['inputs', graph?.inputs.map(showPort).join(', ')],
    ['outputs', graph?.outputs.map(showPort).join(', ')],
  ]
  for (const [name, value] of lines) if (value !== undefined) output.print(`${`${name}:`.padEnd(14)}${value}`)
  for (const [key, value] of Object.entries(metadata)) output.print(`${key} = ${showValue(value)}`)
}

/** Each dtype with how many tensors have it, the most common first. */
function dtypes(tensors: TensorInfo[]): string {
  const counts = new Map<string, number>()
  for (const { dtype } of tensors) counts.set(dtype, (counts.get(dtype) ?? 0) + 1)
  const ordered = [...counts].sort(([, a], [, b]) => b - a)
  return ordered.map(([dtype, count]) => `${count} ${dtype}`).join(', ')
}

const showPort = ({ name, dtype, shape }: GraphPort) =>
  `${name} ${dtype}[${shape.map((dimension) => dimension || '?').join(', ')}]`

function showValue(value: MetadataValue): string {
  if (typeof value === 'object' && !Array.isArray(value)) return `${value.length} of type ${value.type}`
  return truncate(JSON.stringify(value), LONGEST)
}
