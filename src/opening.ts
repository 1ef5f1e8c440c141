import { resolve } from 'node:path'
import { runNative } from './abort.js'
import { checkOptions } from './argument.js'
import type { NativeCache } from './binding.js'
import { defaultFolder, readEnvironment } from './environment-variables.js'
import { type OpenOptions, openSchema } from './open-options.js'
import type { Runtime } from './runtime.js'
import { VERSION } from './version.js'

/** Options with everything that must be known to open a store. */
export type Opening = OpenOptions & { path: string }

/** What the caller says, else the environment, else the usual folder. */
export async function withDefaults(options: OpenOptions | undefined): Promise<Opening> {
  const explicit = checkOptions(options, openSchema)
  const merged = { ...(await readEnvironment(explicit)), ...explicit }
  return { ...merged, path: merged.path ?? (await defaultFolder()) }
}

/** Opens a store in the addon. */
export function openNative({ binding }: Runtime, options: Opening): Promise<NativeCache> {
  const { path, proxy, certificateAuthority, ...rest } = options
  const proxies = typeof proxy === 'string' ? { http: proxy, https: proxy } : proxy
  const userAgent = `tabagent-model-cache/${VERSION}; node/${process.versions.node}`
  return runNative(binding, {}, () =>
    binding.openCache(resolve(path), {
      ...rest,
      ...(proxies?.http !== undefined && { httpProxy: proxies.http }),
      ...(proxies?.https !== undefined && { httpsProxy: proxies.https }),
      ...(certificateAuthority !== undefined && {
        certificateAuthorities: [certificateAuthority].flat().map((file) => resolve(file)),
      }),
      userAgent,
    }),
  )
}
