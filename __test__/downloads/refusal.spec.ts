import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { Fault, Settings } from '../../local-hub/index.js'
import {
  download,
  type Failure,
  HALF,
  matrix,
  REPO,
  type Row,
  resolving,
  scan,
  storage,
  TOKEN,
  type World,
} from './matrix.js'

const answer = (status: number, headers: Record<string, string> = {}): Fault => ({
  answer: { status, headers },
})
const seconds = (from: number) => new Date(Date.now() + from * 1000).toUTCString()

/** A listing that is refused the first time. */
const scanOnce = (fault: () => Fault): Row => {
  let refused = false
  return {
    fault: () => () => {
      if (refused) return undefined
      refused = true
      return fault()
    },
  }
}

/** A wait of at least so many milliseconds between the first two requests to the storage origin. */
function expectWait(least: number, fault: () => Fault): Row {
  const times: number[] = []
  return {
    fault: () =>
      storage((n) => {
        times.push(performance.now())
        return n === 0 ? fault() : undefined
      }),
    check: ({ t }) => {
      t.is(times.length, 2)
      t.true((times[1] ?? 0) - (times[0] ?? 0) >= least)
    },
  }
}

/** The repository's settings become others, until the call has failed. */
function settings(changed: Settings): Row {
  const write = ({ root }: World, settings: Settings) =>
    writeFile(join(root, `${REPO}.json`), JSON.stringify(settings))
  return {
    fault: async (world) => {
      await write(world, changed)
      return undefined
    },
    repair: (world) => write(world, {}),
  }
}

const message = (expected: RegExp) => ({
  check: ({ t }: World, failure: Failure | undefined) => t.regex(failure?.message ?? '', expected),
})

const TOO_LONG = {
  'a RateLimit that is used up for 290 s': () => answer(429, { ratelimit: '"resolvers";r=0;t=290' }),
  'a Retry-After of 290 s': () => answer(429, { 'retry-after': '290' }),
  'a Retry-After that names a time in 290 s': () => answer(429, { 'retry-after': seconds(290) }),
}

const rateLimits = Object.fromEntries(
  Object.entries(TOO_LONG).flatMap(([what, fault]) => [
    [`limits the rate of listings, with ${what}`, (t) => scan(t, { fault: () => fault })],
    [`limits the rate of look-ups, with ${what}`, (t) => download(t, { fault: () => resolving(fault) })],
    [
      `limits the rate of bytes in the middle, with ${what}`,
      (t) => download(t, { fault: () => storage((n) => (n === 0 ? { cutAfter: HALF } : fault())) }),
    ],
  ]) satisfies [string, (t: Parameters<typeof scan>[0]) => ReturnType<typeof scan>][],
)

const busy = Object.fromEntries(
  [500, 502, 503, 504].flatMap((status) => [
    [
      `answers ${status} about the repository once`,
      (t) =>
        scan(
          t,
          scanOnce(() => answer(status)),
        ),
    ],
    [`answers ${status} about the repository`, (t) => scan(t, { fault: () => () => answer(status) })],
    [
      `answers ${status} for an address and for the bytes once`,
      (t) => {
        const asked = new Set(['api', 'cdn'])
        return download(t, {
          options: { retries: 2 },
          fault:
            () =>
            ({ origin }) =>
              asked.delete(origin) ? answer(status) : undefined,
          check: ({ hub }) => t.is(hub.log.filter({ status }).length, 2),
        })
      },
    ],
    [`answers ${status} for the bytes`, (t) => download(t, { fault: () => storage(() => answer(status)) })],
    [
      `answers ${status} for the second half of the bytes`,
      (t) => download(t, { fault: () => storage((n) => (n === 0 ? { cutAfter: HALF } : answer(status))) }),
    ],
  ]) satisfies [string, (t: Parameters<typeof scan>[0]) => ReturnType<typeof scan>][],
)

matrix('refusal', {
  'limits the rate of listings for a second (RateLimit)': (t) =>
    scan(
      t,
      scanOnce(() => answer(429, { ratelimit: '"api";r=0;t=1' })),
    ),
  'limits the rate of bytes for a second (RateLimit)': (t) =>
    download(
      t,
      expectWait(1000, () => answer(429, { ratelimit: '"resolvers";r=0;t=1' })),
    ),
  'limits the rate of bytes for a second (Retry-After)': (t) =>
    download(
      t,
      expectWait(1000, () => answer(429, { 'retry-after': '1' })),
    ),
  'limits the rate of bytes until a time (Retry-After)': (t) =>
    download(
      t,
      expectWait(500, () => answer(429, { 'retry-after': seconds(2) })),
    ),
  'limits the rate of bytes though its RateLimit is not used up': (t) =>
    download(
      t,
      expectWait(0, () => answer(429, { ratelimit: '"resolvers";r=12;t=290' })),
    ),
  'limits the rate of listings, and does not say for how long': (t) =>
    scan(t, { fault: () => () => answer(429) }),
  ...rateLimits,
  ...busy,
  'answers 408 for the bytes once': (t) =>
    download(t, { fault: () => storage((n) => (n === 0 ? answer(408) : undefined)) }),
  'has no such repository, as far as a caller without a token may know': (t) =>
    scan(t, {
      servedAs: 'acme/other',
      anonymous: true,
      ...message(/acme\/model was not found.*pass a token/),
    }),
  'has no such repository': (t) => scan(t, { servedAs: 'acme/other' }),
  'has no such repository any more': (t) =>
    download(t, { fault: () => resolving(() => answer(404, { 'x-error-code': 'RepoNotFound' })) }),
  'has no such revision': (t) => scan(t, { revision: 'v9', ...message(/acme\/model has no revision v9/) }),
  'has no such commit any more': (t) =>
    download(t, { fault: () => resolving(() => answer(404, { 'x-error-code': 'RevisionNotFound' })) }),
  'has no such file any more': (t) =>
    download(t, {
      fault: () =>
        resolving((_, { path }) =>
          answer(404, {
            'x-error-code': 'EntryNotFound',
            'x-repo-commit': /resolve\/(\w+)/.exec(path)?.[1] ?? '',
          }),
        ),
    }),
  'answers 404 about the repository and no more': (t) => scan(t, { fault: () => () => answer(404) }),
  'answers 404 about the file and no more': (t) => download(t, { fault: () => resolving(() => answer(404)) }),
  'gates the files for callers without a token': (t) =>
    download(t, {
      anonymous: true,
      ...settings({ gated: 'manual' }),
      ...message(/is gated: visit .*\/acme\/model to ask for access/),
    }),
  'gates the files for tokens that have not asked for access': (t) =>
    download(t, { ...settings({ gated: 'auto' }), ...message(/is gated: visit .*\/acme\/model/) }),
  'gates the listing too': (t) =>
    scan(t, { fault: () => () => answer(403, { 'x-error-code': 'GatedRepo' }) }),
  'has a private repository of others': (t) => scan(t, { settings: { private: true } }),
  'makes the repository private after the scan': (t) => download(t, settings({ private: true })),
  'does not know the token': (t) =>
    scan(t, {
      hub: { tokens: [] },
      check: ({ t }, failure) => {
        t.regex(failure?.message ?? '', /refused the credentials.*pass a valid token/)
        t.false(failure?.message.includes(TOKEN))
      },
    }),
  'forgets the token in the middle of the file': (t) => {
    const unknown = { 'x-error-message': 'Invalid credentials in Authorization header' }
    return download(t, {
      fault: () => {
        let isOver = false
        return ({ origin }) => {
          if (origin === 'api') return isOver ? answer(401, unknown) : undefined
          const first = !isOver
          isOver = true
          return first ? { cutAfter: HALF } : answer(403)
        }
      },
    })
  },
  'gives the token no right to the listing': (t) => scan(t, { fault: () => () => answer(403) }),
  'gives the token no right to the file': (t) => download(t, { fault: () => resolving(() => answer(403)) }),
  'has disabled the repository': (t) =>
    scan(t, { settings: { disabled: true }, ...message(/the Hub disabled this repository/) }),
  'disables the repository after the scan': (t) =>
    download(t, { ...settings({ disabled: true }), ...message(/the Hub disabled this repository/) }),
})
