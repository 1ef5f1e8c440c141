import {
  checkBoolean,
  checkInteger,
  checkPaths,
  checkProxy,
  checkString,
  checkUrl,
  type Schema,
} from './argument.js'

/** Proxies by the scheme of the URLs that are asked through them. */
export interface ProxyOptions {
  /** For `http` URLs. */
  http?: string
  /** For `https` URLs. */
  https?: string
}

/** Options of {@link ModelCache.open}. Explicit options win over the environment. */
export interface OpenOptions {
  /**
   * Folder of the store; made when missing. One store may be open in many processes at once.
   *
   * @defaultValue `MODEL_CACHE_DIR`, else `tabagent/model-cache` in the platform's cache directory
   */
  path?: string
  /**
   * Where repositories are listed and resolved.
   *
   * @defaultValue `HF_ENDPOINT`, else `https://huggingface.co`
   */
  endpoint?: string
  /**
   * Access token; sent to the endpoint's own origin only.
   *
   * @defaultValue `HF_TOKEN`, else the token file of huggingface_hub; none with `HF_HUB_DISABLE_IMPLICIT_TOKEN`
   */
  token?: string
  /**
   * Never use the network: what is not stored fails with `ERR_OFFLINE`.
   *
   * @defaultValue `HF_HUB_OFFLINE`, else `TRANSFORMERS_OFFLINE`, else `false`
   */
  offline?: boolean
  /**
   * Open without the right to write: downloads and removals fail with `ERR_READ_ONLY`.
   *
   * @defaultValue `false`
   */
  readOnly?: boolean
  /**
   * Hand out the stored bytes themselves instead of copies.
   *
   * @defaultValue `true` where the platform can
   */
  zeroCopy?: boolean
  /**
   * Connections of all downloads together, 1 to 64.
   *
   * @defaultValue `8`
   */
  connections?: number
  /**
   * Milliseconds of silence after which a call fails with `ERR_NETWORK`. One connection that stalls while it downloads is
   * replaced long before, within two seconds.
   *
   * @defaultValue `30000`
   */
  stallTimeout?: number
  /**
   * How often a request without progress is tried again before the call fails.
   *
   * @defaultValue `5`
   */
  retries?: number
  /**
   * Bytes per second that all downloads of this cache receive together, at most.
   *
   * @defaultValue no limit
   */
  maxBytesPerSecond?: number
  /**
   * Most bytes to store, of all endpoints together. Before a download that would exceed it, the least recently used
   * quants go, complete or only begun; never one that is being downloaded, was downloaded with `keep`, or has a file open in
   * this process.
   * Where that is not enough, nothing goes and the download fails with `ERR_NO_SPACE`. Downloads that
   * run count as what they will be: those of this cache whole, those of others with the files that they have begun.
   *
   * @defaultValue no limit
   */
  maxSize?: number
  /**
   * Proxy of all requests, or one for each scheme: `http://[user:password@]host:port`, also with `https`, `socks5` or
   * `socks5h` (which looks up names itself). `{}` means none, whatever the environment says.
   *
   * @defaultValue `HTTPS_PROXY` for https URLs, `HTTP_PROXY` for http URLs, and `ALL_PROXY` where these are not set; each in
   * lower case first
   */
  proxy?: string | ProxyOptions
  /**
   * Hosts that are asked without the proxy, separated by commas: names (with all below them), addresses, networks such as
   * `10.0.0.0/8`, or `*` for all. Addresses of this machine go through the proxy unless they are named here.
   *
   * @defaultValue `NO_PROXY`, in lower case first
   */
  noProxy?: string
  /**
   * PEM files (or folders of them) with certificates of authorities to trust besides those of the system: of a company's
   * proxy, or of a Hub of one's own. One that cannot be read is refused with `ERR_INVALID_ARGUMENT`.
   *
   * @defaultValue the files that `SSL_CERT_FILE`, `REQUESTS_CA_BUNDLE`, `CURL_CA_BUNDLE` and `NODE_EXTRA_CA_CERTS` name
   */
  certificateAuthority?: string | string[]
}

export const openSchema: Schema<OpenOptions> = {
  path: checkString,
  endpoint: checkUrl,
  token: checkString,
  offline: checkBoolean,
  readOnly: checkBoolean,
  zeroCopy: checkBoolean,
  connections: checkInteger(1, 64),
  stallTimeout: checkInteger(1),
  retries: checkInteger(0, 1000),
  maxBytesPerSecond: checkInteger(1),
  maxSize: checkInteger(1),
  proxy: checkProxy,
  noProxy: checkString,
  certificateAuthority: checkPaths,
}
