import { join } from 'node:path'
import type { ExecutionContext } from 'ava'
import type { Fault, FaultHook } from '../../local-hub/index.js'
import { makeFolder } from '../support/folder.js'
import { type Files, writeFiles } from '../support/repository.js'
import { download, matrix, OTHER, PATH, REPO, SIZE, scan, type World } from './matrix.js'

const FILES: Files = { [PATH]: { size: SIZE, seed: PATH }, [OTHER]: { size: 100_000, seed: OTHER } }
const SHA1 = 'cd'.repeat(20)

interface Info {
  sha: string
  siblings: Record<string, unknown>[]
}

const json = (body: unknown): Fault => ({
  answer: { status: 200, headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) },
})

/** Model info with its files changed. */
const withFiles = (change: (files: Info['siblings']) => Info['siblings']): Fault => ({
  edit: (body) => ({ ...(body as Info), siblings: change((body as Info).siblings) }),
})

const names = (files: Info['siblings']) => files.map(({ rfilename }) => ({ rfilename }))
const trees = ({ hub }: World) => hub.log.filter({ path: /\/tree\// })

/** Model info that tells names only, and the tree as it is. */
const onlyNames: FaultHook = ({ path }) => (path.includes('/revision/') ? withFiles(names) : undefined)

const shard = (n: number) => `model-${String(n + 1).padStart(5, '0')}-of-60000.safetensors`

function expectShards({ t, cache }: World): void {
  const [quant] = Object.values(cache.getManifest(REPO)?.quants ?? {})
  t.is(new Set(quant?.files.map(({ path }) => path)).size, 60_000)
}

/** A repository of 60,000 shards, which are nowhere, in pages of 1,000. */
function hugeTree(): FaultHook {
  const file = (n: number) => ({ type: 'file', path: shard(n), size: 9, oid: SHA1 })
  return ({ path, query }) => {
    if (!path.includes('/tree/')) return json({ id: REPO, sha: SHA1, siblings: [{ rfilename: 'a' }] })
    const page = Number(query.get('cursor') ?? 0)
    const { answer } = json(Array.from({ length: 1000 }, (_, n) => file(page * 1000 + n)))
    const link = page < 59 ? { link: `<?recursive=true&cursor=${page + 1}>; rel="next"` } : {}
    return { answer: { status: 200, ...answer, headers: { ...answer?.headers, ...link } } }
  }
}

const HOSTILE = [
  '../../etc/passwd',
  '/etc/passwd',
  'a/../../b',
  'a\\..\\b',
  'C:/Windows/x',
  'a\u0000b',
  'a\nb',
  'a//b',
  './a',
  '',
]

/** Downloads a file of that name. */
const named = (path: string) => (t: ExecutionContext) =>
  download(t, { files: { ...FILES, [path]: `the bytes of ${path}` }, path })

matrix('listing', {
  'lists names only, and the rest in its tree': (t) =>
    scan(t, { always: onlyNames, check: (world) => t.is(trees(world).length, 1) }),
  'lists its tree in pages': (t) =>
    download(t, {
      always: onlyNames,
      hub: { pageSize: 1 },
      check: (world) => t.is(world.cache.getManifest(REPO)?.quants['Q4_K_M']?.size, SIZE),
    }),
  'has 60,000 files in one answer': (t) => {
    const siblings = Array.from({ length: 60_000 }, (_, n) => ({
      rfilename: shard(n),
      size: 9,
      blobId: SHA1,
    }))
    const all = json({ id: REPO, sha: SHA1, siblings })
    return scan(t, { always: () => all, check: expectShards })
  },
  'has 60,000 files in 60 pages': (t) =>
    scan(t, {
      always: hugeTree(),
      check: (world) => {
        t.is(trees(world).length, 60)
        expectShards(world)
      },
    }),
  'lists pages that lead back to themselves': (t) =>
    scan(t, {
      fault: () => (record) =>
        record.path.includes('/tree/')
          ? { headers: { link: '<?recursive=true&cursor=again>; rel="next"' } }
          : onlyNames(record),
      check: (world) => t.true(trees(world).length < 5),
    }),
  'moves the branch between the pages of its tree': async (t) => {
    const folder = await makeFolder(t)
    await writeFiles(folder, { 'another.txt': 'another' })
    return scan(t, {
      hub: { pageSize: 1 },
      fault:
        ({ hub }) =>
        (record) => {
          if (record.path.includes('/tree/')) hub.setRevision(REPO, 'main', folder)
          return onlyNames(record)
        },
      check: (world) => {
        const { commit, quants } = world.cache.getManifest(REPO) ?? {}
        t.true(trees(world).every(({ path }) => path.endsWith(`/tree/${commit}`)))
        t.deepEqual(Object.keys(quants ?? {}).sort(), ['Q4_K_M', 'Q8_0'])
      },
    })
  },
  'masks the hashes of its own storage': (t) =>
    download(t, {
      always: ({ path }) =>
        path.includes('/revision/')
          ? withFiles((files) => files.map((file) => ({ ...file, xetHash: '*'.repeat(64) })))
          : undefined,
    }),
  'masks the digests of the files': (t) =>
    download(t, {
      always: ({ path }) =>
        /\/(revision|tree)\//.test(path)
          ? {
              edit: (body) =>
                JSON.parse(JSON.stringify(body).replace(/("(?:sha256|oid)":)"[0-9a-f]{64}"/g, '$1"****"')),
            }
          : undefined,
      check: ({ cache }) => t.regex(cache.listFiles(REPO)[0]?.digest.value ?? '', /^[0-9a-f]{64}$/),
    }),
  'names no commit': (t) =>
    scan(t, { fault: () => () => ({ edit: (body) => ({ ...(body as Info), sha: 'main' }) }) }),
  'sends half a listing': (t) =>
    scan(t, { fault: () => () => ({ answer: { status: 200, body: '{"id":"acme/model","sib' } }) }),
  'sends a page for people in place of the listing': (t) =>
    scan(t, {
      fault: () => () => ({ answer: { status: 200, body: '<html>Sign in</html>' } }),
      check: (_, failure) => t.regex(failure?.message ?? '', /not what a Hub sends.*check the endpoint/),
    }),
  'lists names that lead out of their place': (t) =>
    download(t, {
      always: ({ path }) =>
        path.includes('/revision/')
          ? withFiles((files) => [
              ...HOSTILE.map((rfilename) => ({ rfilename, size: 1, blobId: SHA1 })),
              ...files,
            ])
          : undefined,
      check: async ({ cache }) => {
        const { quants = {}, sharedFiles = [] } = cache.getManifest(REPO) ?? {}
        const listed = [...Object.values(quants).flatMap(({ files }) => files), ...sharedFiles]
        t.deepEqual(listed.map(({ path }) => path).sort(), [PATH, OTHER])
        for (const path of HOSTILE.filter((name) => name !== '')) {
          const error = await t.throwsAsync<Error & { code?: string }>(cache.downloadFile(REPO, path))
          t.regex(error?.code ?? '', /ERR_(FILE_NOT_FOUND|INVALID_ARGUMENT)/, path)
        }
      },
    }),
  'lists files that together are larger than any number': (t) =>
    scan(t, {
      fault: () => () =>
        withFiles((files) => files.map((file) => ({ ...file, size: 2 ** 63, lfs: undefined, blobId: SHA1 }))),
      check: (_, failure) => t.regex(failure?.message ?? '', /at most 4 TiB.*9223372036854776000 bytes/),
    }),
  'lists a name of 70,000 characters': (t) => {
    const long = `${'n'.repeat(70_000)}.gguf`
    return scan(t, {
      always: () => withFiles((files) => [{ rfilename: long, size: 1, blobId: SHA1 }, ...files]),
      check: ({ cache }) => {
        const listed = Object.values(cache.getManifest(REPO)?.quants ?? {}).flatMap(({ files }) => files)
        t.true(listed.some(({ path }) => path === long))
      },
    })
  },
  'has moved the branch since the scan': async (t) => {
    const folder = join(await makeFolder(t), 'moved')
    await writeFiles(folder, { [PATH]: 'other bytes' })
    return download(t, {
      fault: ({ hub }) => {
        hub.setRevision(REPO, 'main', folder)
        return undefined
      },
      check: ({ hub, cache }) => {
        const { commit } = cache.getManifest(REPO) ?? {}
        const asked = hub.log.filter({ path: /\/resolve\// })
        t.true(asked.length > 0 && asked.every(({ path }) => path.includes(`/resolve/${commit}/`)))
      },
    })
  },
  'keeps weights in git': (t) => {
    const path = 'onnx/decoder.onnx_data_1'
    return download(t, {
      files: { ...FILES, [path]: { size: 300_000, seed: path } },
      settings: { git: [path] },
      path,
      check: ({ cache }) =>
        t.is(cache.listFiles(REPO).find((file) => file.path === path)?.digest.algorithm, 'git-sha1'),
    })
  },
  'has an empty file in LFS': (t) =>
    download(t, { files: { ...FILES, 'empty.gguf': '' }, path: 'empty.gguf' }),
  'has an empty file in git': (t) => download(t, { files: { ...FILES, 'empty.txt': '' }, path: 'empty.txt' }),
  'has a file with spaces in its name': named('a file with spaces.gguf'),
  'has a file with # in its name': named('a#b.gguf'),
  'has a file with ? in its name': named('a?b=c.gguf'),
  'has a file with % in its name': named('100%.gguf'),
  'has a file with %2F in its name': named('a%2Fb.gguf'),
  'has a file with brackets in its name': named('[a] (b) {c}.gguf'),
  'has a file with + and & in its name': named('a+b&c.gguf'),
  'has a file with ^ in its name': named('a^b~c.gguf'),
  'has a file named in many scripts': named('größe/模型-💾.gguf'),
  'has a file whose name begins with a dash': named('--output.gguf'),
  'has a file whose name begins with a dot': named('.hidden/.env'),
  'has a file with a very long path': named(`${`${'deep'.repeat(20)}/`.repeat(30)}model.gguf`),
})
