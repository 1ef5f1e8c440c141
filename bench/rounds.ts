/** What each contender measured, round by round. */
export type Samples<K extends string, T> = Record<K, T[]>

/**
 * Runs the contenders in turn, `rounds` times, so that other work on the machine meets all of them alike. Every other round
 * goes in the opposite order: what one leaves behind must not always fall to the same other.
 */
export async function interleave<K extends string, T>(
  rounds: number,
  contenders: Record<K, (round: number) => Promise<T>>,
): Promise<Samples<K, T>> {
  const names = Object.keys(contenders) as K[]
  const samples = Object.fromEntries(names.map((name) => [name, []])) as unknown as Samples<K, T>
  for (let round = 0; round < rounds; round += 1) {
    for (const name of round % 2 === 0 ? names : names.toReversed()) {
      samples[name].push(await contenders[name](round))
    }
  }
  return samples
}

/** The ratios of two contenders, each of one round. */
export function ratios(ours: readonly number[], theirs: readonly number[]): number[] {
  return ours.map((value, round) => value / (theirs[round] ?? Number.NaN))
}

/** Times of several rounds in milliseconds, as a detail: the median, the least and the most. */
export function describeTimes(name: string, milliseconds: readonly number[]): string {
  const [least, most] = [Math.min(...milliseconds), Math.max(...milliseconds)]
  return `${name} ${formatTime(median(milliseconds))} (${formatTime(least)} to ${formatTime(most)})`
}

/** The middle value; of an even number of them the mean of the middle two. */
export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b)
  const middle = sorted.slice(Math.ceil(sorted.length / 2) - 1, Math.floor(sorted.length / 2) + 1)
  return middle.reduce((sum, value) => sum + value, 0) / middle.length
}

function formatTime(milliseconds: number): string {
  if (milliseconds < 1) return `${(milliseconds * 1000).toFixed(1)} us`
  return milliseconds < 1000 ? `${milliseconds.toFixed(1)} ms` : `${(milliseconds / 1000).toFixed(2)} s`
}
