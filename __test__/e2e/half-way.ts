import type { Manifest, ModelCache } from '@tabagent/model-cache'
import type { LocalHub } from '../../local-hub/index.js'

export const MIB = 1024 * 1024

/** Bytes that may be sent twice: those on their way when connections share their work, or when a transfer is interrupted. */
export const SLACK = 16 * MIB

/** Something to wait for. */
export interface Gate {
  open(): void
  readonly opened: Promise<void>
}

export function gate(): Gate {
  let open = () => {}
  const opened = new Promise<void>((resolve) => {
    open = resolve
  })
  return { open: () => open(), opened }
}

/** The storage origin sends no byte at or past `offset` of any file until the gate is opened. */
export function holdAt(hub: LocalHub, offset: number): Gate {
  const { open, opened } = gate()
  hub.fault = ({ origin, range }) => {
    if (origin !== 'cdn') return undefined
    const start = Number(/^bytes=(\d+)-/.exec(range ?? '')?.[1] ?? 0)
    return start < offset ? { stallAfter: offset - start } : { hold: opened }
  }
  return {
    opened,
    open() {
      hub.fault = undefined
      open()
    },
  }
}

/** Too small to be shared between connections: such a file is one request and one body, however slow the machine is. */
export const ONE_BODY = 1_900_000

/** Body bytes that the storage origin has sent. */
export function cdnBytes(hub: LocalHub): number {
  return hub.log.bytesSent({ origin: 'cdn' })
}

/** Looks until `condition` holds; how often it looks changes nothing but the time. */
export async function until(condition: () => boolean | Promise<boolean>): Promise<void> {
  while (!(await condition())) await new Promise((resolve) => setTimeout(resolve, 10))
}

/** State of a quant as the store has it now. */
export function quantOf(manifest: Manifest | undefined, name: string) {
  const quant = manifest?.quants[name]
  if (!quant) throw new Error(`the manifest has no quant ${name}`)
  return quant
}

/**
 * Waits until so many bytes of a quant, the only one that is here in part, are recorded for good, and returns how many these
 * are. The manifest also counts what a process has that still writes.
 */
export async function recorded(
  cache: ModelCache,
  repo: string,
  name: string,
  bytes: number,
): Promise<number> {
  const shown = () => quantOf(cache.getManifest(repo), name).downloaded
  const now = () => Math.min(shown(), cache.stats().partialBytes)
  await until(() => now() >= bytes)
  return now()
}
