// bindgen, which reads libmdbx's header, needs libclang and clang's own headers (stddef.h and the like).
import { existsSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { ask, ROOT } from './command.mjs'
import { COMPILER } from './toolchain.mjs'
import { installRequirements, VENV_PYTHON } from './virtual-env.mjs'

/** The environment in which cargo finds libclang: the caller's, the system's, or that of the `libclang` wheel. */
export async function libclangEnvironment() {
  if (process.env.LIBCLANG_PATH) return {}
  return systemLibclang() ?? (await wheelLibclang())
}

/** An installed clang has both: its headers in the resource folder, the library two levels above it or in bin. */
function systemLibclang() {
  const resources = ask('clang', ['-print-resource-dir'])
  if (!resources || !existsSync(join(resources, 'include', 'stddef.h'))) return undefined
  const folders = [join(resources, '..', '..'), join(resources, '..', '..', '..', 'bin')]
  const folder = folders.find(
    (path) =>
      existsSync(path) && readdirSync(path).some((name) => /^libclang(-\d+)?\.(so|dylib|dll)/.test(name)),
  )
  return folder && { LIBCLANG_PATH: folder }
}

/** The wheel has the library alone; the C compiler's headers do for the rest. */
async function wheelLibclang() {
  await installRequirements(join(ROOT, 'scripts', 'libclang.txt'), 'bindgen (libclang)')
  const script = 'import clang, os; print(os.path.join(os.path.dirname(clang.__file__), "native"))'
  const folder = ask(VENV_PYTHON, ['-c', script])
  const headers = COMPILER && ask(COMPILER, ['-print-file-name=include'])
  return { LIBCLANG_PATH: folder, ...(headers && { BINDGEN_EXTRA_CLANG_ARGS: `-I${quoted(headers)}` }) }
}

/** bindgen splits the variable as a shell does. */
function quoted(path) {
  return /\s/.test(path) ? `"${path}"` : path
}
