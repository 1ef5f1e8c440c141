import { createHmac, randomBytes, timingSafeEqual } from 'node:crypto'

/** Signs the URLs of the CDN origin, which end after a while. */
export class UrlSigner {
  #secret = randomBytes(32)
  readonly #lifetime: number

  /** `lifetime` in milliseconds. */
  constructor(lifetime: number) {
    this.#lifetime = lifetime
  }

  /** Puts expiry and signature into the query of `url`. */
  sign(url: URL): URL {
    const expires = String((Date.now() + this.#lifetime) / 1000)
    url.searchParams.set('Expires', expires)
    url.searchParams.set('Signature', this.#signature(url.pathname, expires).toString('base64url'))
    url.searchParams.set('Key-Pair-Id', 'LOCALHUB')
    return url
  }

  /** Whether this hub signed the URL and it has not ended yet. */
  isValid(url: URL): boolean {
    const expires = url.searchParams.get('Expires') ?? ''
    const given = Buffer.from(url.searchParams.get('Signature') ?? '', 'base64url')
    const right = this.#signature(url.pathname, expires)
    const signed = given.length === right.length && timingSafeEqual(given, right)
    return signed && Number(expires) * 1000 > Date.now()
  }

  /** Ends every URL signed so far. */
  expireAll(): void {
    this.#secret = randomBytes(32)
  }

  #signature(path: string, expires: string): Buffer {
    return createHmac('sha256', this.#secret).update(`${path}\n${expires}`).digest()
  }
}
