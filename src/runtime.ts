import { constants } from 'node:buffer'
import { type Binding, loadBinding } from './binding.js'
import { ViewRegistry } from './shared-view.js'

/** What the classes of this package share within one isolate. */
export interface Runtime {
  readonly binding: Binding
  /** Bytes that one Buffer can show: 4 GiB on Node 20, no practical limit from Node 22 on. */
  readonly bufferLimit: number
  readonly views: ViewRegistry
  /** Handles whose bytes something else than JavaScript may read: only `close()` ends them. */
  readonly pinned: Set<object>
}

/** A runtime over any binding. */
export function createRuntime(binding: Binding, bufferLimit: number = constants.MAX_LENGTH): Runtime {
  return { binding, bufferLimit, views: new ViewRegistry(), pinned: new Set() }
}

let shared: Runtime | undefined

/** The runtime over this platform's addon. */
export function defaultRuntime(): Runtime {
  shared ??= createRuntime(loadBinding())
  return shared
}
