import type { Exchange } from './exchange.js'
import { sendFile } from './file-body.js'
import { Problem } from './problem.js'
import { cdnEtag } from './resolve.js'
import type { Site } from './site.js'

/** Answers on the CDN origin: signed URLs only, and no token is ever expected here. */
export async function answerCdn(site: Site, exchange: Exchange): Promise<void> {
  const file = site.cdnFiles.get(exchange.url.pathname)
  if (!file?.lfs || !site.signer.isValid(exchange.url)) throw new Problem(403, undefined, 'Access Denied')
  const disposition = exchange.url.searchParams.get('response-content-disposition')
  const headers = {
    etag: `"${cdnEtag(file.lfs.sha256)}"`,
    'content-type': 'application/octet-stream',
    ...(disposition && { 'content-disposition': disposition }),
  }
  await sendFile(exchange, file, headers, site.pace)
}
