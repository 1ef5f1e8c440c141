import { copyFile, readdir, readFile, writeFile } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { pathToFileURL } from 'node:url'
import test from 'ava'
import { type Binding, checkVersion, loadBinding } from '#dist/binding.js'
import { VERSION } from '#dist/version.js'
import { makeFolder } from './support/folder.js'

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

test('an addon that cannot be loaded: the error has the reason that the system gives', async (t) => {
  const folder = await makeFolder(t)
  await writeFile(join(folder, 'package.json'), '{"type":"module"}')
  for (const name of ['binding.js', 'errors.js', 'version.js', 'binding.cjs'])
    await copyFile(resolve('dist', name), join(folder, name))
  const [addon = ''] = (await readdir('dist')).filter((name) => name.endsWith('.node'))
  await writeFile(join(folder, addon), 'no addon')
  const copy: { loadBinding(): unknown } = await import(pathToFileURL(join(folder, 'binding.js')).href)
  const error = t.throws(() => copy.loadBinding(), { name: 'ModelCacheError', code: 'ERR_IO' })
  t.true(error?.message.includes(addon), error?.message)
  t.regex(error?.message ?? '', /could be loaded \(.+\): reinstall/)
})

test('without an addon the error names the platform and what to do', async (t) => {
  const folder = await makeFolder(t)
  await writeFile(join(folder, 'package.json'), '{"type":"module"}')
  for (const name of ['binding.js', 'errors.js', 'version.js'])
    await copyFile(resolve('dist', name), join(folder, name))
  const copy: { loadBinding(): unknown } = await import(pathToFileURL(join(folder, 'binding.js')).href)
  const error = t.throws(() => copy.loadBinding(), { name: 'ModelCacheError' })
  t.like(error, { code: 'ERR_IO' })
  t.regex(error?.message ?? '', new RegExp(`${process.platform}-${process.arch}.*npm run build`))
  t.true(error?.cause instanceof Error)
})
