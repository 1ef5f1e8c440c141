import type { Socket } from 'node:net'
import { setTimeout as delay } from 'node:timers/promises'

/** Holds every connection to so many bytes per second, over all its requests. */
export class Pace {
  readonly #bytesPerSecond: number
  readonly #free = new WeakMap<Socket, number>()

  constructor(bytesPerSecond: number) {
    this.#bytesPerSecond = bytesPerSecond
  }

  /** How much to send at once: a twentieth of a second's worth, at most 1 MiB. */
  get pieceSize(): number {
    return Math.max(1024, Math.min(1 << 20, Math.floor(this.#bytesPerSecond / 20)))
  }

  /** Waits until the connection may send `bytes` more. */
  async take(socket: Socket, bytes: number): Promise<void> {
    if (!Number.isFinite(this.#bytesPerSecond)) return
    const now = performance.now()
    const free = Math.max(now, this.#free.get(socket) ?? now)
    this.#free.set(socket, free + (bytes / this.#bytesPerSecond) * 1000)
    if (free > now) await delay(free - now)
  }
}
