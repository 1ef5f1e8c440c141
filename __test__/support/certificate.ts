import { generateKeyPairSync, type KeyObject, randomBytes, sign } from 'node:crypto'

/** A key and its certificate, both in PEM form. */
export interface Certified {
  key: string
  cert: string
}

/** An authority of its own, and a server at 127.0.0.1 that it vouches for. Made anew for each test: no key is ever kept. */
export function makeCertificates(): { authority: Certified; server: Certified } {
  const root = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  const server = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  const issuer = name('An authority for tests')
  const isAuthority = extension('2.5.29.19', sequence(BOOLEAN_TRUE), true)
  const isAt127001 = extension('2.5.29.17', sequence(element(0x87, Buffer.from([127, 0, 0, 1]))))
  return {
    authority: certify(root, issuer, issuer, root.privateKey, isAuthority),
    server: certify(server, name('127.0.0.1'), issuer, root.privateKey, isAt127001),
  }
}

/** X.509 version 3 (RFC 5280), valid for a day on either side of now. */
function certify(
  subject: { publicKey: KeyObject; privateKey: KeyObject },
  subjectName: Buffer,
  issuerName: Buffer,
  issuerKey: KeyObject,
  ...extensions: Buffer[]
): Certified {
  const day = 86_400_000
  const body = sequence(
    element(0xa0, integer(Buffer.from([2]))),
    integer(Buffer.concat([Buffer.from([1]), randomBytes(8)])),
    ECDSA_WITH_SHA256,
    issuerName,
    sequence(time(Date.now() - day), time(Date.now() + day)),
    subjectName,
    subject.publicKey.export({ type: 'spki', format: 'der' }),
    element(0xa3, sequence(...extensions)),
  )
  const certificate = sequence(body, ECDSA_WITH_SHA256, bits(sign('sha256', body, issuerKey)))
  return {
    key: subject.privateKey.export({ type: 'pkcs8', format: 'pem' }).toString(),
    cert: `-----BEGIN CERTIFICATE-----\n${certificate.toString('base64')}\n-----END CERTIFICATE-----\n`,
  }
}

/** One element of DER: tag, length, content. */
function element(tag: number, ...content: Buffer[]): Buffer {
  const body = Buffer.concat(content)
  const length = body.length.toString(16)
  const digits = Buffer.from(length.padStart(length.length + (length.length % 2), '0'), 'hex')
  const long = body.length < 128 ? Buffer.alloc(0) : Buffer.from([0x80 | digits.length])
  return Buffer.concat([Buffer.from([tag]), long, digits, body])
}

const sequence = (...content: Buffer[]) => element(0x30, ...content)
const integer = (bytes: Buffer) => element(0x02, bytes)
const bits = (bytes: Buffer) => element(0x03, Buffer.from([0]), bytes)
const BOOLEAN_TRUE = element(0x01, Buffer.from([0xff]))
const ECDSA_WITH_SHA256 = sequence(identifier('1.2.840.10045.4.3.2'))

function identifier(dotted: string): Buffer {
  const [first = 0, second = 0, ...rest] = dotted.split('.').map(Number)
  const base128 = (value: number): number[] =>
    value < 128 ? [value] : [...base128(Math.floor(value / 128)).map((byte) => byte | 0x80), value % 128]
  return element(0x06, Buffer.from([first * 40 + second, ...rest.flatMap(base128)]))
}

function name(common: string): Buffer {
  return sequence(element(0x31, sequence(identifier('2.5.4.3'), element(0x0c, Buffer.from(common)))))
}

function time(at: number): Buffer {
  const text = new Date(at).toISOString().replace(/[-:T]|\.\d+/g, '')
  return element(0x18, Buffer.from(text))
}

function extension(oid: string, value: Buffer, critical = false): Buffer {
  return sequence(identifier(oid), ...(critical ? [BOOLEAN_TRUE] : []), element(0x04, value))
}
