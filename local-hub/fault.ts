import type { RequestRecord } from './request-log.js'

/** What goes wrong with one request. Byte counts are of the body of this answer, offsets are of the file. */
export interface Fault {
  /** Answer with this instead. */
  answer?: { status: number; headers?: Record<string, string>; body?: string | Buffer }
  /** End the connection without an answer. */
  drop?: boolean
  /** Wait for this before answering. */
  hold?: Promise<unknown>
  /** End the connection in good order after so many bytes. */
  cutAfter?: number
  /** Reset the connection after so many bytes: what is still on its way is lost. */
  resetAfter?: number
  /** Send nothing more after so many bytes, and keep the connection open. */
  stallAfter?: number
  /** Send the byte at this offset altered. */
  alterByte?: number
  /** Wait for this before the connection is ended or reset. */
  until?: Promise<unknown>
  /** Answer 200 with the whole file. */
  ignoreRange?: boolean
  /** Answer with at most so many bytes of the range. */
  shorten?: number
  /** Send so many bytes more than there are. */
  append?: number
  /** Compress the body, whether the client takes that or not. */
  compress?: boolean
  /** Send what this makes of a JSON answer. */
  edit?: (body: unknown) => unknown
  /** Replace headers, or leave one out (undefined). Names in lower case. */
  headers?: Record<string, string | undefined>
}

/** Asked for each request before it is answered. */
export type FaultHook = (request: RequestRecord) => Fault | undefined | Promise<Fault | undefined>
