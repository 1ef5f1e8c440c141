/** The Buffer over each ArrayBuffer that was handed out, so that one view is one object. */
const buffers = new WeakMap<ArrayBuffer, Buffer>()

/**
 * The buffers over one blob in this isolate, shared by all handles of it.
 *
 * They are held weakly here, and strongly by the handles that gave them out: each new external buffer costs V8 a garbage
 * collection, so there is one per range while anyone uses it, and none longer than that.
 */
class SharedView {
  readonly #ranges = new Map<string, WeakRef<ArrayBuffer>>()
  readonly #collected = new FinalizationRegistry<string>((range) => this.#drop(range))
  readonly #onIdle: (view: SharedView) => void
  #handles = 0
  #strays = 0

  constructor(onIdle: (view: SharedView) => void) {
    this.#onIdle = onIdle
  }

  attach(): void {
    this.#handles += 1
  }

  /** The buffer of a range if anyone still uses it. */
  find(range: string): Buffer | undefined {
    const memory = this.#ranges.get(range)?.deref()
    // A detached one (`ArrayBuffer.prototype.transfer` does that) no longer shows the bytes.
    return memory && memory.byteLength > 0 ? buffers.get(memory) : undefined
  }

  /** Node itself refuses to transfer external memory; marking it once more makes Node 24 abort when it is detached. */
  add(range: string, buffer: Buffer): Buffer {
    if (this.#live().length === 0) this.#strays = 0
    const memory = buffer.buffer as ArrayBuffer
    buffers.set(memory, buffer)
    this.#ranges.set(range, new WeakRef(memory))
    this.#collected.register(memory, range, memory)
    return buffer
  }

  /** A handle was closed: with the last one the buffers become empty. */
  close(detach: (memory: ArrayBuffer) => void): void {
    this.#handles -= 1
    if (this.#handles > 0 || this.#strays > 0) return
    for (const memory of this.#live()) {
      this.#collected.unregister(memory)
      detach(memory)
    }
    this.#ranges.clear()
    this.#onIdle(this)
  }

  /**
   * A handle was collected unclosed. Whoever still holds a buffer it gave out never said to be done with it, so from
   * then on these buffers end by garbage collection only.
   */
  lose(gaveBuffers: boolean): void {
    this.#handles -= 1
    if (gaveBuffers) this.#strays += 1
    this.#checkIdle()
  }

  #drop(range: string): void {
    if (this.#ranges.get(range)?.deref() === undefined) this.#ranges.delete(range)
    this.#checkIdle()
  }

  #live(): ArrayBuffer[] {
    return [...this.#ranges.values()]
      .flatMap((range) => range.deref() ?? [])
      .filter(({ byteLength }) => byteLength > 0)
  }

  #checkIdle(): void {
    if (this.#handles === 0 && this.#ranges.size === 0) this.#onIdle(this)
  }
}

/** One handle's part in the buffers of its blob: as long as it lasts, the buffers it gave out stay what they are. */
export class ViewLease {
  readonly #view: SharedView
  readonly #held = new Map<string, Buffer>()
  #gaveBuffers = false
  #ended = false

  constructor(view: SharedView) {
    view.attach()
    this.#view = view
  }

  find(start: number, end: number): Buffer | undefined {
    const range = `${start}-${end}`
    const buffer = this.#view.find(range)
    if (buffer) this.#hold(range, buffer)
    return buffer
  }

  /** The buffer of a range, made by `create` where nobody uses one yet. */
  buffer(start: number, end: number, create: () => Buffer): Buffer {
    const found = this.find(start, end)
    if (found) return found
    const range = `${start}-${end}`
    const buffer = this.#view.add(range, create())
    this.#hold(range, buffer)
    return buffer
  }

  end(detach: (memory: ArrayBuffer) => void): void {
    if (this.#ended) return
    this.#ended = true
    this.#held.clear()
    this.#view.close(detach)
  }

  lose(): void {
    if (this.#ended) return
    this.#ended = true
    this.#held.clear()
    this.#view.lose(this.#gaveBuffers)
  }

  /** Without this, a write into a buffer would be lost when nobody but the handle knows the buffer any more. */
  #hold(range: string, buffer: Buffer): void {
    this.#gaveBuffers = true
    this.#held.set(range, buffer)
  }
}

/** The views of this isolate, by the names the addon gives them. */
export class ViewRegistry {
  readonly #views = new Map<string, SharedView>()
  readonly #handles = new FinalizationRegistry<ViewLease>((lease) => lease.lose())

  /** Takes part in the view `name` for as long as `handle` is neither closed nor collected. */
  lease(name: string, handle: object): ViewLease {
    const view = this.#views.get(name) ?? this.#create(name)
    const lease = new ViewLease(view)
    this.#handles.register(handle, lease, lease)
    return lease
  }

  /** Ends the part of a handle that is closed: nobody need hear of its collection any more. */
  end(lease: ViewLease, detach: (memory: ArrayBuffer) => void): void {
    this.#handles.unregister(lease)
    lease.end(detach)
  }

  /** How many have a handle or buffer. */
  get size(): number {
    return this.#views.size
  }

  #create(name: string): SharedView {
    const view = new SharedView((idle) => {
      if (this.#views.get(name) === idle) this.#views.delete(name)
    })
    this.#views.set(name, view)
    return view
  }
}
