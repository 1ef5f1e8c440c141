import { download, MIB, matrix, OTHER, PATH, storage } from './matrix.js'

const FOUR_GIB = 4096 * MIB
const SIZE = FOUR_GIB + 64 * MIB

/** Takes no room at the Hub, but does in the store. */
const isWanted = process.env['MODEL_CACHE_TEST_LARGE'] === '1'

matrix(
  'large',
  {
    'ends a body past the first 4 GiB of a file': (t) => {
      t.timeout(600_000)
      const end = FOUR_GIB + 2 * MIB
      let isCut = false
      return download(t, {
        files: { [PATH]: { size: SIZE, seed: PATH, sparse: true }, [OTHER]: { size: 100_000, seed: OTHER } },
        fault: () =>
          storage((_, { range }) => {
            const [start = 0, last = 0] = (range ?? '').match(/\d+/g)?.map(Number) ?? []
            if (isCut || start >= end || last < end) return undefined
            isCut = true
            return { cutAfter: end - start }
          }),
        check: ({ hub }) => {
          const asked = hub.log.filter({ origin: 'cdn' }).map(({ range }) => range)
          t.true(asked.includes(`bytes=${end}-${SIZE - 1}`), asked.join('\n'))
        },
      })
    },
  },
  { isWanted },
)
