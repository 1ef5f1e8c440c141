import { runProgram } from './child-process.js'
import type { Measurement } from './figure.js'
import { describeTimes, interleave, median } from './rounds.js'

const ROUNDS = 25
const IMPORT = `import '@tabagent/model-cache'`

/** The package is found by its own name, as a user's program finds it. */
export const importTime: Measurement = {
  letter: 'h',
  title: 'time of the import over bare Node',
  async measure() {
    const node = async (...args: string[]) => (await runProgram(process.execPath, args)).wall
    const walls = await interleave(ROUNDS, {
      bare: () => node('-e', '0'),
      ours: () => node('--input-type=module', '-e', IMPORT),
    })
    const added = walls.ours.map((wall, round) => wall - (walls.bare[round] ?? Number.NaN))
    return [
      {
        what: `${IMPORT} over node -e 0`,
        value: median(added),
        unit: 'ms',
        bound: 25,
        detail: `${describeTimes('with', walls.ours)}, ${describeTimes('without', walls.bare)}`,
      },
    ]
  },
}
