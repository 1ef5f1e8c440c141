import type { Fault } from '../../local-hub/index.js'
import {
  download,
  type Failure,
  HALF,
  MIB,
  matrix,
  OTHER,
  PATH,
  type Row,
  resolving,
  SIZE,
  scan,
  storage,
  type World,
} from './matrix.js'

const CONFIG = '{"model_type":"bert"}\n'
const WITH_CONFIG: Row = {
  files: {
    [PATH]: { size: SIZE, seed: PATH },
    [OTHER]: { size: 100_000, seed: OTHER },
    'config.json': CONFIG,
  },
  path: 'config.json',
}

/** Every answer of the storage origin. */
const always = (fault: Fault): Row => ({ fault: () => storage(() => fault) })
/** The first answer of the storage origin. */
const once = (fault: Fault): Row => ({ fault: () => storage((n) => (n === 0 ? fault : undefined)) })
/** Half of the file, and then every answer. */
const afterHalf = (fault: Fault): Row => ({
  fault: () => storage((n) => (n === 0 ? { cutAfter: HALF } : fault)),
})
/** Alters a byte of the file in git in these answers. */
const inGit = (altered: (n: number) => boolean): Row => ({
  ...WITH_CONFIG,
  fault: () => {
    let count = 0
    return ({ path }) => {
      if (!path.includes('/resolve-cache/')) return undefined
      count += 1
      return altered(count - 1) ? { alterByte: 3 } : undefined
    }
  },
})
/** What the head alone says, so that no byte is on its way when it is refused. */
const head = (headers: Fault['headers']): Fault => ({ headers: headers ?? {}, stallAfter: 0 })

const expects = (expected: string, actual: string) => ({
  check: ({ t }: World, failure: Failure | undefined) => t.like(failure, { expected, actual }),
})
const whole = `bytes 0-${SIZE - 1}/${SIZE}`

matrix('bytes', {
  'names no ETag where the bytes are': (t) =>
    download(t, once({ headers: { etag: undefined }, cutAfter: HALF })),
  'names another ETag there at each request': (t) =>
    download(t, {
      fault: () => storage((n) => ({ headers: { etag: `"${n}"` }, ...(n === 0 && { cutAfter: HALF }) })),
    }),
  'promises nothing where the file is looked up': (t) => {
    const headers = { 'x-linked-etag': undefined, 'x-linked-size': undefined, 'x-repo-commit': undefined }
    return download(t, { fault: () => resolving(() => ({ headers })) })
  },
  'promises another digest than it listed': (t) => {
    const digest = 'ab'.repeat(32)
    return download(t, {
      fault: () => resolving(() => ({ headers: { 'x-linked-etag': `"${digest}"` } })),
      check: ({ cache }, failure) => {
        const listed = cache.getManifest('acme/model')?.quants['Q4_K_M']?.files[0]?.digest.value
        t.like(failure, { expected: `sha256:${listed}`, actual: `sha256:${digest}` })
      },
    })
  },
  'promises another size than it listed': (t) =>
    download(t, {
      fault: () => resolving(() => ({ headers: { 'x-linked-size': '17' } })),
      ...expects(`${SIZE} bytes`, '17 bytes'),
    }),
  'promises another commit than was asked for': (t) =>
    download(t, { fault: () => resolving(() => ({ headers: { 'x-repo-commit': 'ab'.repeat(20) } })) }),
  'sends the whole file where a range was asked': (t) => download(t, always({ ignoreRange: true })),
  'sends the whole file where the rest was asked': (t) => download(t, afterHalf({ ignoreRange: true })),
  'sends less than the range': (t) => download(t, always({ shorten: MIB })),
  'sends a range of a file of another size': (t) =>
    download(t, {
      ...always(head({ 'content-range': `bytes 0-${SIZE - 1}/${SIZE + 1}` })),
      ...expects(whole, `bytes 0-${SIZE - 1}/${SIZE + 1}`),
    }),
  'sends a range that begins elsewhere': (t) =>
    download(t, {
      ...always(head({ 'content-range': `bytes 1-${SIZE}/${SIZE}` })),
      ...expects(whole, `bytes 1-${SIZE}/${SIZE}`),
    }),
  'sends a range without saying which': (t) =>
    download(t, { ...always(head({ 'content-range': undefined })), ...expects(whole, 'no Content-Range') }),
  'sends a range of another length than it says': (t) =>
    download(t, {
      ...always(head({ 'content-length': '17' })),
      ...expects(`${SIZE} bytes`, '17 bytes'),
    }),
  'has no such range (416) of the file': (t) =>
    download(t, {
      ...always({ answer: { status: 416, headers: { 'content-range': 'bytes */17' } } }),
      ...expects(`${SIZE} bytes`, '17 bytes'),
    }),
  'has no such range (416) of the rest': (t) => download(t, afterHalf({ answer: { status: 416 } })),
  'ends a body early': (t) =>
    download(t, {
      ...once({ cutAfter: HALF }),
      check: ({ hub }) =>
        t.deepEqual(
          hub.log.filter({ origin: 'cdn' }).map(({ range }) => range),
          [`bytes=0-${SIZE - 1}`, `bytes=${HALF}-${SIZE - 1}`],
        ),
    }),
  'ends every body after a MiB': (t) => download(t, always({ cutAfter: MIB })),
  'ends every body before its first byte': (t) => download(t, always({ cutAfter: 0 })),
  'ends every body after the first half': (t) => download(t, afterHalf({ cutAfter: 0 })),
  'ends a body without a length early, in good order': (t) =>
    download(t, once({ shorten: HALF, headers: { 'content-length': undefined, 'content-range': whole } })),
  'sends more than its length': (t) => download(t, once({ append: 1000 })),
  'sends more than the range, without a length': (t) =>
    download(t, once({ append: 1000, headers: { 'content-length': undefined } })),
  'compresses for those who take it': (t) =>
    download(t, {
      ...WITH_CONFIG,
      check: async ({ hub }) => {
        const ungated = { headers: { 'accept-encoding': 'gzip' } }
        const answer = await fetch(`${hub.url}/api/models/acme/model`, ungated)
        t.is(answer.headers.get('content-encoding'), 'gzip')
        await answer.arrayBuffer()
      },
    }),
  'names an encoding that changes nothing': (t) =>
    download(t, { fault: () => () => ({ headers: { 'content-encoding': 'aws-chunked' } }) }),
  'compresses the bytes all the same': (t) => download(t, always({ compress: true })),
  'compresses a file in git all the same': (t) =>
    download(t, {
      ...WITH_CONFIG,
      fault:
        () =>
        ({ path }) =>
          path.includes('/resolve-cache/') ? { compress: true } : undefined,
    }),
  'compresses the listing all the same': (t) => scan(t, { fault: () => () => ({ compress: true }) }),
  'sends a page for people in place of the bytes': (t) => {
    const page = { status: 200, headers: { 'content-type': 'text/html' }, body: '<html>Sign in</html>' }
    return download(t, always({ answer: page }))
  },
  'alters the last byte once': (t) => download(t, once({ alterByte: SIZE - 1 })),
  'alters a byte each time': (t) => download(t, always({ alterByte: HALF })),
  'alters a byte of a file in git once': (t) =>
    download(
      t,
      inGit((n) => n === 0),
    ),
  'alters a byte of a file in git each time': (t) =>
    download(
      t,
      inGit(() => true),
    ),
})
