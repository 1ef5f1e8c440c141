import { runInNewContext } from 'node:vm'
import { errorCodes, isModelCacheError, ModelCacheError } from '@tabagent/model-cache'
import test from 'ava'
import { loadBinding } from '#dist/binding.js'
import { fromNative } from '#dist/errors.js'

const pack = (fields: object, causes: string[] = []) =>
  new Error(JSON.stringify({ code: 'ERR_NO_SPACE', message: 'full', fields, causes }))

test('the codes are those of the Rust core, in its order', (t) => {
  t.deepEqual([...errorCodes], loadBinding().errorCodes())
})

test('an error of the addon becomes a ModelCacheError with code, fields and causes', (t) => {
  const error = fromNative(
    pack({ path: '/store', needed: 5, available: 3 }, ['outer', 'inner']),
  ) as ModelCacheError
  t.true(error instanceof ModelCacheError)
  t.like(error, {
    name: 'ModelCacheError',
    message: 'full',
    code: 'ERR_NO_SPACE',
    path: '/store',
    needed: 5,
    available: 3,
  })
  t.deepEqual(Object.keys(error), ['code', 'path', 'needed', 'available'], 'what has no meaning is not there')
  const cause = error.cause as Error
  t.is(cause.message, 'outer')
  t.is((cause.cause as Error).message, 'inner')
})

test('without causes there is none', (t) => {
  t.false(Object.hasOwn(fromNative(pack({})) as object, 'cause'))
})

test('errors that the core did not make get a code as well', (t) => {
  const coded = (message: string, code: string) => fromNative(Object.assign(new Error(message), { code }))
  t.like(coded('not a string', 'StringExpected'), { code: 'ERR_INVALID_ARGUMENT', message: 'not a string' })
  t.like(coded('too big', 'ERR_BUFFER_TOO_LARGE'), { code: 'ERR_TOO_LARGE' })
  t.like(coded('boom', 'GenericFailure'), { code: 'ERR_IO', message: 'the native addon failed: boom' })
  t.like(fromNative(new Error('{"code":"ERR_UNHEARD_OF"}')), { code: 'ERR_IO' })
  t.like(fromNative(new Error('{broken')), { code: 'ERR_IO' })
})

test('what is no error of the addon passes unchanged', (t) => {
  const own = new ModelCacheError('ERR_CLOSED', 'closed')
  for (const value of [own, 'a string', undefined, { code: 'ERR_IO' }]) t.is(fromNative(value), value)
})

test('isModelCacheError knows the class, the code, and errors of another realm', (t) => {
  const error = new ModelCacheError('ERR_OFFLINE', 'no network')
  t.true(isModelCacheError(error))
  t.true(isModelCacheError(error, 'ERR_OFFLINE'))
  t.false(isModelCacheError(error, 'ERR_IO'))
  const foreign: unknown = runInNewContext(
    `Object.assign(new Error('x'), { name: 'ModelCacheError', code: 'ERR_IO' })`,
  )
  t.false(foreign instanceof Error)
  t.true(isModelCacheError(foreign, 'ERR_IO'))
  for (const other of [
    new Error('x'),
    Object.assign(new Error('x'), { code: 'ERR_IO' }),
    null,
    undefined,
    'ERR_IO',
  ]) {
    t.false(isModelCacheError(other))
  }
  t.false(isModelCacheError(Object.assign(new Error('x'), { name: 'ModelCacheError', code: 'ERR_OTHER' })))
})

test('the name is no own property, so errors print like built-in ones', (t) => {
  const error = new ModelCacheError('ERR_IO', 'read failed')
  t.false(Object.hasOwn(error, 'name'))
  t.is(String(error), 'ModelCacheError: read failed')
})
