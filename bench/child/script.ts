/** What the bench asks of this script. */
export function readParameters<P>(): P {
  return JSON.parse(process.argv[2] ?? '{}') as P
}

/** Answers the bench. */
export function printResult<R>(result: R): void {
  console.log(JSON.stringify(result))
}
