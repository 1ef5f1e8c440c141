import { execFile } from 'node:child_process'
import { access, readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import test from 'ava'
import { installPacked } from './support/packed.js'

const run = promisify(execFile)

test('the tarball of a clone can be installed and has the addon of this platform', async (t) => {
  const project = await installPacked(t)
  const script = `
    import { ModelCache } from '@tabagent/model-cache'
    const cache = await ModelCache.open({ path: 'store', offline: true })
    console.log(JSON.stringify(cache.listManifests()))
    await cache.close()`
  const { stdout } = await run(process.execPath, ['--input-type=module', '-e', script], { cwd: project })
  t.is(stdout, '[]\n')
})

test('what the README points to is in the tarball', async (t) => {
  const project = await installPacked(t)
  const folder = join(project, 'node_modules', '@tabagent', 'model-cache')
  const readme = await readFile(join(folder, 'README.md'), 'utf8')
  const links = [...readme.matchAll(/\]\((?!https?:)([^)#]+)/g)].map(([, path]) => path ?? '')
  t.true(links.length > 8)
  for (const path of links) await t.notThrowsAsync(access(join(folder, path)), path)
})

test('the adapter of ONNX Runtime is part of it, and says what to install', async (t) => {
  const project = await installPacked(t)
  const script = `
    import { ModelCache } from '@tabagent/model-cache'
    import { createSession } from '@tabagent/model-cache/onnxruntime'
    const cache = await ModelCache.open({ path: 'store', offline: true })
    await createSession(cache, 'acme/model', 'model.onnx').catch(({ code, message }) => console.log(code, message))`
  const { stdout } = await run(process.execPath, ['--input-type=module', '-e', script], { cwd: project })
  t.regex(stdout, /^ERR_IO onnxruntime-node cannot be loaded: install it/)
})

test('its source maps have their sources, which are not packed beside them', async (t) => {
  const dist = join(await installPacked(t), 'node_modules', '@tabagent', 'model-cache', 'dist')
  const maps = (await readdir(dist, { recursive: true })).filter((path) => path.endsWith('.js.map'))
  t.true(maps.length > 50)
  for (const path of maps) {
    const { sources, sourcesContent } = JSON.parse(await readFile(join(dist, path), 'utf8'))
    const contents = sources.map((_: string, index: number) => typeof sourcesContent?.[index])
    t.deepEqual(contents, ['string'], path)
  }
})

test('one package folder per target, of the version and with the file that the loader asks for', async (t) => {
  const { name, version, napi } = JSON.parse(await readFile('package.json', 'utf8'))
  const loader = await readFile('dist/binding.cjs', 'utf8')
  const folders = await readdir('npm')
  t.is(folders.length, napi.targets.length)
  for (const folder of folders) {
    const platform = JSON.parse(await readFile(join('npm', folder, 'package.json'), 'utf8'))
    t.is(platform.name, `${name}-${folder}`)
    t.is(platform.version, version)
    t.deepEqual(platform.files, [platform.main])
    t.true(loader.includes(`require('${platform.name}')`))
    t.true(loader.includes(`require('./${platform.main}')`))
  }
})
