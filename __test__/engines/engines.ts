import { existsSync } from 'node:fs'
import { createRequire } from 'node:module'
import { resolve } from 'node:path'

const requireEngine = createRequire(resolve('engines', 'package.json'))

/** Why an engine cannot run here, if so. */
export function whyNot(engine: 'transformers' | 'llama'): string | undefined {
  if (!existsSync('engines/node_modules')) return 'the engines are not installed: npm test -- engines'
  if (engine === 'transformers') return requireNative('sharp') ?? requireNative('onnxruntime-node')
  const folder = `@node-llama-cpp/${process.platform}-${process.arch}`
  return existsSync(`engines/node_modules/${folder}`) ? undefined : `there is no ${folder}`
}

function requireNative(name: string): string | undefined {
  try {
    requireEngine(name)
    return undefined
  } catch (error) {
    return `${name} has no build for this platform: ${(error as Error).message.split('\n')[0]}`
  }
}
