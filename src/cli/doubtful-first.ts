/** What may fail (a name may be wrong) before all else: then nothing was done for the others yet. */
export function doubtfulFirst<T>(all: readonly T[], isDoubtful: (one: T) => boolean): T[] {
  return [...all.filter(isDoubtful), ...all.filter((one) => !isDoubtful(one))]
}
