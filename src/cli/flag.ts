import { InvalidArgumentError } from 'commander'
import { parseSize } from './size.js'

/** For options that may be given several times. */
export function collect(value: string, previous: string[] = []): string[] {
  return [...previous, value]
}

/** For options that take a folder. */
export function readFolder(value: string): string {
  if (value === '') throw new InvalidArgumentError('Expected the path of a folder.')
  return value
}

/** For options that take a rate: a size, of one second also where it does not say so. */
export function readRate(value: string): number {
  return readSize(value.replace(/\/s$/i, ''))
}

/** For options that take a size. */
export function readSize(value: string): number {
  const size = parseSize(value)
  if (size === undefined)
    throw new InvalidArgumentError('Expected a size such as 50GB, 500MiB or a number of bytes.')
  return size
}
