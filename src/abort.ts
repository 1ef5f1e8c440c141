import type { Binding, Operation } from './binding.js'
import { fromNative } from './errors.js'
import { type Progress, ProgressReporter } from './progress.js'
import { onAbort, reasonOf } from './signal.js'

/** What the caller of a long call may give along. */
export interface CallOptions {
  signal?: AbortSignal
  onProgress?: (progress: Progress) => void
}

/** Starts the native call; `nudge` is to be called whenever `operation` has news. */
export type Start<T> = (operation: Operation, nudge: (() => void) | undefined) => Promise<T>

type Outcome<T> = { value: T } | { error: unknown } | Interruption
interface Interruption {
  reason: unknown
}

/**
 * Runs a native call that can be aborted and watched.
 *
 * An abort rejects with `signal.reason` without waiting for the addon, whose side is told to let this caller go. An
 * exception of `onProgress` does the same with the exception. `discard` gets the value of a call that was let go too
 * late to stop it.
 */
export async function runNative<T>(
  binding: Pick<Binding, 'Operation'>,
  options: CallOptions,
  start: Start<T>,
  discard: (late: T) => void = () => {},
): Promise<T> {
  const { signal, onProgress } = options
  if (signal?.aborted) throw reasonOf(signal)
  const operation = new binding.Operation()
  const { interruption, interrupt, interrupted } = interruptible(operation)
  const progress = onProgress && new ProgressReporter(operation, onProgress, interrupt)
  const ignoreAbort = signal && onAbort(signal, () => interrupt(reasonOf(signal)))

  const finished = settle(start, operation, progress?.deliver)
  try {
    const outcome = await Promise.race([interruption, finished])
    // The report of 100 % may still be on its way here.
    if ('value' in outcome) progress?.deliver()
    return unwrap(interrupted() ?? outcome)
  } finally {
    ignoreAbort?.()
    progress?.stop()
    if (interrupted()) void finished.then((late) => 'value' in late && discard(late.value))
  }
}

/**
 * The caller's side of letting go, once: the first reason counts. What it returns keeps `operation` alive, as the addon
 * takes one that was collected for a caller that is gone.
 */
function interruptible(operation: Operation) {
  let first: Interruption | undefined
  let resolve: (reason: Interruption) => void
  const interruption = new Promise<Interruption>((settled) => {
    resolve = settled
  })
  const interrupt = (reason: unknown) => {
    first ??= { reason }
    operation.cancel()
    resolve(first)
  }
  return { interruption, interrupt, interrupted: () => first }
}

async function settle<T>(start: Start<T>, operation: Operation, nudge?: () => void): Promise<Outcome<T>> {
  try {
    return { value: await start(operation, nudge) }
  } catch (error) {
    return { error }
  }
}

function unwrap<T>(outcome: Outcome<T>): T {
  if ('reason' in outcome) throw outcome.reason
  if ('error' in outcome) throw fromNative(outcome.error)
  return outcome.value
}

/** What runs on this side of the addon, and what goes over. */
export function splitCall<T extends CallOptions>({ signal, onProgress, ...native }: T) {
  return { call: { ...withSignal(signal), ...(onProgress && { onProgress }) }, native }
}

export function withSignal(signal: AbortSignal | undefined): { signal?: AbortSignal } {
  return signal ? { signal } : {}
}
