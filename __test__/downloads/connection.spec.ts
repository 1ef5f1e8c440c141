import type { Fault } from '../../local-hub/index.js'
import { gate } from '../e2e/half-way.js'
import { download, type Failure, HALF, matrix, type Row, scan, storage, type World } from './matrix.js'

const never = new Promise(() => {})
/** Long enough for a machine with much to do. */
const SHORT = { stallTimeout: 1000 }

/** The first answer of the storage origin. */
const once = (fault: Fault): Row => ({ fault: () => storage((n) => (n === 0 ? fault : undefined)) })
/** Every answer of the storage origin. */
const always = (fault: Fault): Row => ({ fault: () => storage(() => fault) })
/** Half of the file, and then every answer. */
const afterHalf = (fault: Fault): Row => ({
  fault: () => storage((n) => (n === 0 ? { cutAfter: HALF } : fault)),
})

/** A reset once the client has written the first half: nothing is on its way that could be lost. */
function resetAtHalf(then: Fault | undefined): Row {
  const half = gate()
  return {
    onProgress: (loaded) => loaded >= HALF && half.open(),
    fault: () => storage((n) => (n === 0 ? { resetAfter: HALF, until: half.opened } : then)),
  }
}

const statuses = ({ hub }: World) => hub.log.filter({ origin: 'cdn' }).map(({ status }) => status)
const resolves = ({ hub }: World) => hub.log.filter({ path: /\/resolve\// }).length

function expectSilence({ t }: World, failure: Failure | undefined): void {
  t.regex(failure?.message ?? '', /did not answer completely: no byte came for 1s/)
}

matrix('connection', {
  'is not there': (t) => scan(t, { endpoint: () => 'http://127.0.0.1:1', options: { retries: 0 } }),
  'does not answer about the repository': (t) =>
    scan(t, {
      options: SHORT,
      fault: () => () => ({ hold: never }),
      check: expectSilence,
    }),
  'does not answer a first time': (t) => {
    let silent = true
    return scan(t, {
      options: { ...SHORT, retries: 5 },
      fault: () => () => {
        const hold = silent ? { hold: never } : undefined
        silent = false
        return hold
      },
    })
  },
  'does not answer for the bytes a first time': (t) =>
    download(t, { ...once({ hold: never }), options: { ...SHORT, retries: 5 } }),
  'never answers for the bytes': (t) =>
    download(t, { ...always({ hold: never }), options: SHORT, check: expectSilence }),
  'stops in the middle of a body': (t) =>
    download(t, { ...once({ stallAfter: HALF }), options: { ...SHORT, retries: 5 } }),
  'stops in the middle and never answers again': (t) =>
    download(t, {
      fault: () => storage((n) => (n === 0 ? { stallAfter: HALF } : { hold: never })),
      options: SHORT,
      check: expectSilence,
    }),
  'closes a connection before it answers': (t) => download(t, once({ drop: true })),
  'closes every connection before it answers': (t) => download(t, always({ drop: true })),
  'closes every connection after its answer': (t) =>
    download(t, always({ headers: { connection: 'close' } })),
  'resets a connection in the middle of a body': (t) => download(t, resetAtHalf(undefined)),
  'resets a connection in the middle and answers no more': (t) => download(t, resetAtHalf({ drop: true })),
  'lets a signed address end before it is used': (t) =>
    download(t, {
      fault: ({ hub }) =>
        storage((n) => {
          if (n === 0) hub.expireUrls()
          return undefined
        }),
      check: (world) => {
        t.deepEqual(statuses(world), [403, 206])
        t.is(resolves(world), 2)
      },
    }),
  'lets a signed address end in the middle of the file': (t) =>
    download(t, {
      fault: ({ hub }) =>
        storage((n) => {
          if (n === 1) hub.expireUrls()
          return n === 0 ? { cutAfter: HALF } : undefined
        }),
      check: (world) => t.deepEqual(statuses(world), [206, 403, 206]),
    }),
  'says that a signed address is gone (410)': (t) => download(t, once({ answer: { status: 410 } })),
  'wants credentials for a signed address (401)': (t) => download(t, once({ answer: { status: 401 } })),
  'refuses every signed address': (t) =>
    download(t, always({ answer: { status: 403, body: 'Access Denied' } })),
  'refuses every signed address after the first half': (t) =>
    download(t, afterHalf({ answer: { status: 403, body: 'Access Denied' } })),
})
