/** Bytes per chunk of a stream: large enough to cost no time, small enough to be no burst. */
const STEP = 1024 * 1024

/** A lazy stream of the bytes from `start` to `end`: nothing is read before the consumer asks. */
export function streamRange(
  read: (start: number, end: number) => Promise<Uint8Array>,
  start: number,
  end: number,
): ReadableStream<Uint8Array> {
  let offset = start
  // Not a byte stream: that would transfer every chunk's memory, and these belong to the store.
  return new ReadableStream<Uint8Array>(
    {
      start(controller) {
        if (start === end) controller.close()
      },
      async pull(controller) {
        const next = Math.min(offset + STEP, end)
        controller.enqueue(await read(offset, next))
        offset = next
        if (offset === end) controller.close()
      },
    },
    { highWaterMark: 0 },
  )
}
