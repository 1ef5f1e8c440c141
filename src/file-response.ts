import type { CachedFile } from './cached-file.js'

let FileResponse: ReturnType<typeof defineFileResponse> | undefined

/**
 * A Response over a stored file. `arrayBuffer()` is the view itself, where a plain Response copies the file twice; the
 * body is read only when asked for.
 */
export function respond(file: CachedFile): Response {
  FileResponse ??= defineFileResponse()
  return new FileResponse(file)
}

/**
 * Defined at the first use: the global Response makes Node load all of fetch, which takes longer than importing this
 * package. The readers are fields because the types of Node declare them as such.
 */
function defineFileResponse() {
  return class FileResponse extends Response {
    readonly #file: CachedFile

    constructor(file: CachedFile) {
      super(file.stream(), {
        headers: {
          'content-length': String(file.size),
          'content-type': file.path.endsWith('.json') ? 'application/json' : 'application/octet-stream',
        },
      })
      this.#file = file
    }

    override readonly arrayBuffer = () => this.#consume((file) => file.arrayBuffer())

    readonly bytes = () => this.#consume((file) => file.bytes())

    override readonly text = () => this.#consume((file) => file.text())

    override readonly json = () => this.#consume((file) => file.json())

    override readonly clone = () => {
      this.#checkUnused()
      return new FileResponse(this.#file)
    }

    /** Like any Response, this one can be read once. */
    async #consume<T>(read: (file: CachedFile) => Promise<T>): Promise<T> {
      this.#checkUnused()
      await this.body?.cancel()
      return read(this.#file)
    }

    #checkUnused(): void {
      if (this.bodyUsed || this.body?.locked)
        throw new TypeError('Body is unusable: Body has already been read')
    }
  }
}
