import type { Workplace } from './workplace.js'

/** What a figure counts; `x` is a ratio of two times, or of two sizes, of the same round. */
export type Unit = 'x' | 'ms' | 'us' | 'MiB' | 's/GiB' | 'bytes/byte'

/** One line of the table. */
export interface Figure {
  what: string
  value: number
  unit: Unit
  /** The most it may be; none for a line that is there to compare with. */
  bound?: number
  /** What the value was computed from. */
  detail: string
}

/** One measurement: everything it compares, it runs itself, in turn. */
export interface Measurement {
  /** What the command line selects it by. */
  letter: string
  title: string
  measure(workplace: Workplace): Promise<Figure[]>
}

export const GIB = 2 ** 30
export const MIB = 2 ** 20

/** Whether a figure has a bound and exceeds it. */
export function isMissed({ value, bound }: Figure): boolean {
  return bound !== undefined && value > bound
}
