/** Those who wait for the abort of one signal, and the one listener that serves them all. */
interface Group {
  readonly acts: Set<() => void>
  readonly listener: () => void
}

const groups = new WeakMap<AbortSignal, Group>()

/**
 * Calls `act` once the signal aborts, or never if the function that is returned was called before. However many wait, the
 * signal has one listener: from the eleventh on Node warns of a leak.
 */
export function onAbort(signal: AbortSignal, act: () => void): () => void {
  const group = groups.get(signal) ?? listenTo(signal)
  group.acts.add(act)
  return () => leave(signal, group, act)
}

/** Why a signal was aborted; signals of polyfills do not always say. */
export function reasonOf({ reason }: AbortSignal): unknown {
  return reason === undefined ? new DOMException('This operation was aborted', 'AbortError') : reason
}

function listenTo(signal: AbortSignal): Group {
  const acts = new Set<() => void>()
  const listener = () => {
    groups.delete(signal)
    for (const act of acts) act()
  }
  signal.addEventListener('abort', listener, { once: true })
  const group = { acts, listener }
  groups.set(signal, group)
  return group
}

function leave(signal: AbortSignal, group: Group, act: () => void): void {
  group.acts.delete(act)
  if (group.acts.size > 0 || groups.get(signal) !== group) return
  groups.delete(signal)
  signal.removeEventListener('abort', group.listener)
}
