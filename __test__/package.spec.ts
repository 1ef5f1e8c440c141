import { execFile } from 'node:child_process'
import { mkdir, readdir, readFile, symlink } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { promisify } from 'node:util'
import test, { type ExecutionContext } from 'ava'
import { makeFolder } from './support/folder.js'

const run = promisify(execFile)

/** A project in a folder of its own that has installed what `npm pack` makes of this clone. */
async function installPacked(t: ExecutionContext): Promise<string> {
  const project = await makeFolder(t)
  const npm = process.env['npm_execpath']
  const [program, ...args] = npm ? [process.execPath, npm] : ['npm']
  await run(program ?? 'npm', [...args, 'pack', '--silent', '--pack-destination', project])
  const [tarball] = await readdir(project)
  const folder = join(project, 'node_modules', '@tabagent', 'model-cache')
  await mkdir(folder, { recursive: true })
  await run('tar', ['-xzf', join(project, tarball ?? ''), '-C', folder, '--strip-components=1'])
  const { dependencies } = JSON.parse(await readFile(join(folder, 'package.json'), 'utf8'))
  for (const name of Object.keys(dependencies)) {
    await symlink(resolve('node_modules', name), join(project, 'node_modules', name), 'junction')
  }
  return project
}

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
