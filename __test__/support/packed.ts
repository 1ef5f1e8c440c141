import { execFile } from 'node:child_process'
import { mkdir, readdir, readFile, symlink } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { promisify } from 'node:util'
import type { ExecutionContext } from 'ava'
import { makeFolder } from './folder.js'

const run = promisify(execFile)

/** npm as it runs the tests, or the one in the path. */
export function npm(): [program: string, ...args: string[]] {
  const script = process.env['npm_execpath']
  return script ? [process.execPath, script] : ['npm']
}

/**
 * A project in a folder of its own that has installed what `npm pack` makes of this clone, as npm does it: the package, its
 * dependencies and its programs.
 */
export async function installPacked(t: ExecutionContext): Promise<string> {
  const project = await makeFolder(t)
  const [program, ...args] = npm()
  await run(program, [...args, 'pack', '--silent', '--pack-destination', project])
  const [tarball] = await readdir(project)
  const folder = join(project, 'node_modules', '@tabagent', 'model-cache')
  await mkdir(folder, { recursive: true })
  await run('tar', ['-xzf', join(project, tarball ?? ''), '-C', folder, '--strip-components=1'])
  const { dependencies, bin } = JSON.parse(await readFile(join(folder, 'package.json'), 'utf8'))
  for (const name of Object.keys(dependencies)) {
    await symlink(resolve('node_modules', name), join(project, 'node_modules', name), 'junction')
  }
  await mkdir(join(project, 'node_modules', '.bin'))
  for (const [name, file] of Object.entries<string>(bin)) {
    await symlink(join(folder, file), join(project, 'node_modules', '.bin', name), 'file')
  }
  return project
}
