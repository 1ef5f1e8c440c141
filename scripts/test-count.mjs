// Reads the counts that test runners print.

/** Sums cargo's `test result:` lines, one for each test program and for the documentation's examples. */
export function countCargo(text) {
  return sum(text.matchAll(/^test result: .*? (\d+) passed; (\d+) failed;/gm))
}

/** Reads ava's summary: `12 tests passed`, `1 test failed`, `1 uncaught exception`, and tests that never ended. */
export function countAva(text) {
  const of = (words) => sum(text.matchAll(new RegExp(`^\\s*(\\d+) (?:${words})`, 'gm'))).passed
  return {
    passed: of('tests? passed$'),
    failed: of('tests? failed$|uncaught exceptions?$|unhandled rejections?$|tests? remained pending '),
  }
}

/** Reads pytest's closing line: `57 passed, 1 skipped in 3.80s`, `2 failed, 55 passed, 1 error in 4.01s`. */
export function countPytest(text) {
  const [closing = ''] = text.match(/^=*\s*\d+ (?:passed|failed|error|skipped).* in [\d.]+s.*$/m) ?? []
  const of = (words) => sum(closing.matchAll(new RegExp(`(\\d+) (?:${words})\\b`, 'g'))).passed
  return { passed: of('passed'), failed: of('failed|errors?') }
}

function sum(matches) {
  const total = { passed: 0, failed: 0 }
  for (const [, passed, failed] of matches) {
    total.passed += Number(passed)
    total.failed += Number(failed ?? 0)
  }
  return total
}
