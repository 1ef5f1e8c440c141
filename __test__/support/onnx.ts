/**
 * Writes ONNX models (`onnx.proto`) field by field, also such as no exporter would.
 *
 * Their weights are float32 rows that the model gathers by the input `ids`: each bit of an output is a bit of a weight.
 */

/** A field of a protobuf message: its number, and a number or bytes. */
export type Field = [number: number, value: number | string | Buffer]

/** The bytes of a message. */
export function message(...fields: Field[]): Buffer {
  return Buffer.concat(fields.flatMap(([number, value]) => encode(number, value)))
}

function encode(number: number, value: number | string | Buffer): Buffer[] {
  if (typeof value === 'number') return [varint(number * 8), varint(value)]
  const bytes = Buffer.from(value as string)
  return [varint(number * 8 + 2), varint(bytes.length), Buffer.isBuffer(value) ? value : bytes]
}

function varint(value: number): Buffer {
  const bytes = []
  let rest = value
  for (; rest >= 128; rest = Math.floor(rest / 128)) bytes.push((rest % 128) | 128)
  return Buffer.from([...bytes, rest])
}

const FLOAT = 1
const INT64 = 7
const BOOL = 9

/** A float32 tensor of one dimension whose weights are `raw`. */
export function rawTensor(name: string, raw: Buffer): Buffer {
  return message([1, raw.length / 4], [2, FLOAT], [8, name], [9, raw])
}

/** The same with its weights in another field, as numbers. */
export function typedTensor(name: string, raw: Buffer): Buffer {
  return message([1, raw.length / 4], [2, FLOAT], [4, raw], [8, name])
}

/** A float32 tensor of `length` elements whose weights are where the entries say. */
export function externalTensor(name: string, length: number, entries: Record<string, string>): Buffer {
  const external = Object.entries(entries).map(([key, value]): Field => [13, message([1, key], [2, value])])
  return message([1, length], [2, FLOAT], [8, name], [14, 1], ...external)
}

/** A node. Attributes are tensors or graphs. */
export function node(
  type: string,
  inputs: string[],
  output: string,
  attributes: Record<string, { tensor: Buffer } | { graph: Buffer }> = {},
): Buffer {
  const encoded = Object.entries(attributes).map(([name, value]): Field => {
    const field: Field[] =
      'tensor' in value
        ? [
            [5, value.tensor],
            [20, 4],
          ]
        : [
            [6, value.graph],
            [20, 5],
          ]
    return [5, message([1, name], ...field)]
  })
  return message(...inputs.map((input): Field => [1, input]), [2, output], [4, type], ...encoded)
}

/** A node that gathers the rows of the tensor `weights` into the output of the same name with a `y`. */
export function gather(weights: string, output = `y_${weights}`): Buffer {
  return node('Gather', [weights, 'ids'], output)
}

/** A graph of nodes and initializers. `ids` is among the inputs of the outermost one. */
export function graph(
  nodes: Buffer[],
  initializers: Buffer[],
  outputs: string[],
  inputs: Field[] = [],
): Buffer {
  return message(
    ...nodes.map((value): Field => [1, value]),
    [2, 'test'],
    ...initializers.map((value): Field => [5, value]),
    ...inputs,
    ...outputs.map((output): Field => [12, valueInfo(output, FLOAT, ['n'])]),
  )
}

function valueInfo(name: string, type: number, dims: string[]): Buffer {
  const shape = message(...dims.map((dim): Field => [1, message([2, dim])]))
  return message([1, name], [2, message([1, message([1, type], [2, shape])])])
}

/** A model with the inputs `ids` (int64) and `choice` (bool), where it uses that. */
export function model(
  nodes: Buffer[],
  initializers: Buffer[],
  outputs: string[],
  usesChoice = false,
): Buffer {
  const inputs: Field[] = [[11, valueInfo('ids', INT64, ['n'])]]
  if (usesChoice) inputs.push([11, valueInfo('choice', BOOL, [])])
  return message([1, 8], [8, message([2, 17])], [7, graph(nodes, initializers, outputs, inputs)])
}
