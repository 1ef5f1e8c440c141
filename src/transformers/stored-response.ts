import type { CachedFile } from '@tabagent/model-cache'

/**
 * A stored file as transformers.js reads those of its own folder, which are no Response either: the global Response makes Node load
 * all of fetch, some 25 ms that a tokenizer alone does not need.
 */
export class StoredResponse {
  readonly status = 200
  readonly #file: CachedFile

  constructor(file: CachedFile) {
    this.#file = file
  }

  get headers(): { get(name: string): string | null } {
    return { get: (name) => (name.toLowerCase() === 'content-length' ? String(this.#file.size) : null) }
  }

  get body(): ReadableStream<Uint8Array> {
    return this.#file.stream()
  }

  arrayBuffer(): Promise<ArrayBuffer> {
    return this.#file.arrayBuffer()
  }

  text(): Promise<string> {
    return this.#file.text()
  }

  // biome-ignore lint/suspicious/noExplicitAny: as Response.json() has it
  json(): Promise<any> {
    return this.#file.json()
  }

  clone(): StoredResponse {
    return new StoredResponse(this.#file)
  }
}
