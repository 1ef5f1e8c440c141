import test from 'ava'

const location = new URL('../../../scripts/test-count.mjs', import.meta.url)
const { countAva, countCargo, countPytest } = await import(location.href)

test('cargo: every test program counts, the documentation examples too', (t) => {
  const text = `
running 3 tests
test result: ok. 3 passed; 0 failed; 1 ignored; 0 measured; 0 filtered out; finished in 0.01s
test result: FAILED. 1 passed; 2 failed; 0 ignored; 0 measured; 0 filtered out; finished in 0.02s
   Doc-tests tabagent_storage
test result: ok. 4 passed; 0 failed; 0 ignored; 0 measured; 0 filtered out; finished in 0.30s
`
  t.deepEqual(countCargo(text), { passed: 8, failed: 2 })
})

test('ava: failed tests and errors outside of tests', (t) => {
  t.deepEqual(countAva('  ✔ a\n  ─\n\n  12 tests passed\n'), { passed: 12, failed: 0 })
  const text = '  ─\n\n  1 test failed\n  1 test passed\n  2 uncaught exceptions\n  1 unhandled rejection\n'
  t.deepEqual(countAva(text), { passed: 1, failed: 4 })
  const late = '  95 tests passed\n  1 test remained pending after a timeout\n'
  t.deepEqual(countAva(late), { passed: 95, failed: 1 })
})

test('pytest: its closing line alone, with errors of fixtures', (t) => {
  t.deepEqual(countPytest('...  [100%]\n57 passed in 4.79s\n'), { passed: 57, failed: 0 })
  const text = 'E  assert 3 failed\n2 failed, 55 passed, 1 skipped, 1 error in 64.01s (0:01:04)\n'
  t.deepEqual(countPytest(text), { passed: 55, failed: 3 })
  t.deepEqual(countPytest('=== 1 failed, 2 passed in 0.10s ===\n'), { passed: 2, failed: 1 })
  t.deepEqual(countPytest('no tests ran in 0.01s\n'), { passed: 0, failed: 0 })
})

test('nothing that looks like a count in the output of a test is one', (t) => {
  t.deepEqual(countAva('  ℹ expected 3 tests passed here\n'), { passed: 0, failed: 0 })
  t.deepEqual(countCargo('stdout: test result: ok. 3 passed; 0 failed;\n'), { passed: 0, failed: 0 })
})
