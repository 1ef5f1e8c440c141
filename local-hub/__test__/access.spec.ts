import test from 'ava'
import { startHub } from '../../__test__/support/hub.js'

const REPOSITORIES = {
  'acme/open': { 'a.txt': 'a' },
  'acme/gated': { files: { 'a.txt': 'a' }, settings: { gated: 'manual' as const, allowed: ['hf_friend'] } },
  'acme/private': { files: { 'a.txt': 'a' }, settings: { private: true, allowed: ['hf_friend'] } },
  'acme/disabled': { files: { 'a.txt': 'a' }, settings: { disabled: true } },
}
const TOKENS = { tokens: ['hf_friend', 'hf_stranger'] }

async function answer(url: string, token?: string) {
  const response = await fetch(url, token ? { headers: { authorization: `Bearer ${token}` } } : {})
  await response.arrayBuffer()
  return [response.status, response.headers.get('x-error-code')] as const
}

test('what is not there is named: repository, revision, file', async (t) => {
  const { hub } = await startHub(t, REPOSITORIES, TOKENS)
  t.deepEqual(await answer(`${hub.url}/api/models/acme/none`), [401, 'RepoNotFound'])
  t.deepEqual(await answer(`${hub.url}/api/models/acme/none`, 'hf_friend'), [404, 'RepoNotFound'])
  t.deepEqual(await answer(`${hub.url}/api/models/acme`), [401, 'RepoNotFound'])
  t.deepEqual(await answer(`${hub.url}/api/models/acme%2F..%2F..%2Fetc/x`), [401, 'RepoNotFound'])
  t.deepEqual(await answer(`${hub.url}/api/models/acme/open/revision/v9`), [404, 'RevisionNotFound'])
  t.deepEqual(await answer(`${hub.url}/acme/open/resolve/v9/a.txt`), [404, 'RevisionNotFound'])
  t.deepEqual(await answer(`${hub.url}/acme/open/resolve/main/b.txt`), [404, 'EntryNotFound'])
  const missing = await fetch(`${hub.url}/acme/open/resolve/main/b.txt`)
  t.regex(missing.headers.get('x-repo-commit') ?? '', /^[0-9a-f]{40}$/)
})

test('gated files are listed for all and read with access', async (t) => {
  const { hub } = await startHub(t, REPOSITORIES, TOKENS)
  const file = `${hub.url}/acme/gated/resolve/main/a.txt`
  t.deepEqual(await answer(`${hub.url}/api/models/acme/gated`), [200, null])
  t.deepEqual(await answer(file), [401, 'GatedRepo'])
  t.deepEqual(await answer(file, 'hf_stranger'), [403, 'GatedRepo'])
  t.deepEqual(await answer(file, 'hf_friend'), [200, null])
})

test('private and disabled repositories, and a token that does not exist', async (t) => {
  const { hub } = await startHub(t, REPOSITORIES, TOKENS)
  t.deepEqual(await answer(`${hub.url}/api/models/acme/private`), [401, 'RepoNotFound'])
  t.deepEqual(await answer(`${hub.url}/api/models/acme/private`, 'hf_stranger'), [404, 'RepoNotFound'])
  t.deepEqual(await answer(`${hub.url}/api/models/acme/private`, 'hf_friend'), [200, null])
  t.deepEqual(await answer(`${hub.url}/api/models/acme/disabled`), [403, null])
  t.deepEqual(await answer(`${hub.url}/api/models/acme/open`, 'hf_wrong'), [401, null])
})

test('quotas: the headers count down, then 429', async (t) => {
  const { hub } = await startHub(t, REPOSITORIES, { quotas: { api: 2, resolvers: 1, window: 300 } })
  const first = await fetch(`${hub.url}/api/models/acme/open`)
  t.regex(first.headers.get('ratelimit') ?? '', /^"api";r=1;t=\d+$/)
  t.is(first.headers.get('ratelimit-policy'), '"fixed window";"api";q=2;w=300')
  t.is((await answer(`${hub.url}/api/models/acme/open`))[0], 200)
  t.is((await answer(`${hub.url}/api/models/acme/open`))[0], 429)
  t.is((await fetch(`${hub.url}/acme/open/resolve/main/a.txt`, { redirect: 'manual' })).status, 307)
  t.is((await answer(`${hub.url}/acme/open/resolve/main/a.txt`))[0], 429)
})
