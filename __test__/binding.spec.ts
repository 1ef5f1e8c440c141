import { readFile } from 'node:fs/promises'
import test from 'ava'
import { type Binding, checkVersion, loadBinding } from '#dist/binding.js'
import { VERSION } from '#dist/version.js'

test('package, sources and addon are of one version', async (t) => {
  const manifest = JSON.parse(await readFile('package.json', 'utf8')) as { version: string }
  t.is(VERSION, manifest.version)
  t.is(loadBinding().bindingVersion(), manifest.version)
})

test('an addon of another version is refused with both versions and what to do', (t) => {
  const other = { bindingVersion: () => '9.9.9' } as Binding
  const error = t.throws(() => checkVersion(other))
  t.like(error, { code: 'ERR_VERSION_MISMATCH', expected: VERSION, actual: '9.9.9' })
  t.regex(error?.message ?? '', /9\.9\.9.*npm run build/)
})
