import { readFile } from 'node:fs/promises'

/** Flags of pages and of their entries (libmdbx 0.14, `layout-dxb.h`). */
const BRANCH = 1
const LARGE = 4
const ENTRY_LARGE = 1
const ENTRY_TREE = 2

/** Bytes before the content of a page, and before an entry's key. */
const HEADER = 20
const ENTRY = 8

/** What a page of a database file is for. */
export type PageKind =
  | 'meta'
  | 'free list'
  | 'table list'
  | 'branch'
  | 'leaf'
  | 'large value, first page'
  | 'large value, other page'

/** A page in use. */
export interface Page {
  number: number
  kind: PageKind
}

/** A database file of libmdbx, read to know what each of its pages is. */
export class DatabaseFile {
  readonly pageSize: number
  readonly pages: Page[] = []
  readonly #bytes: Buffer

  private constructor(bytes: Buffer, pageSize: number) {
    this.#bytes = bytes
    this.pageSize = pageSize
    for (let number = 0; number < 3; number += 1) this.pages.push({ number, kind: 'meta' })
    const meta = this.#newestMeta()
    this.#walk(meta.readUInt32LE(HEADER + 48), 'free list')
    this.#walk(meta.readUInt32LE(HEADER + 96), 'table list')
  }

  static async read(location: string, pageSize: number): Promise<DatabaseFile> {
    return new DatabaseFile(await readFile(location), pageSize)
  }

  #page(number: number): Buffer {
    return this.#bytes.subarray(number * this.pageSize, (number + 1) * this.pageSize)
  }

  #newestMeta(): Buffer {
    const metas = [0, 1, 2].map((number) => this.#page(number))
    return metas.reduce((a, b) => (b.readBigUInt64LE(HEADER + 8) > a.readBigUInt64LE(HEADER + 8) ? b : a))
  }

  /** Adds the pages of a tree, and of the trees and large values in it. */
  #walk(root: number, kind: 'free list' | 'table list' | 'leaf'): void {
    if (root === 0xffff_ffff) return
    const page = this.#page(root)
    const isBranch = (page.readUInt16LE(10) & BRANCH) !== 0
    this.pages.push({ number: root, kind: isBranch && kind === 'leaf' ? 'branch' : kind })
    for (let at = 0; at < page.readUInt16LE(12); at += 2) {
      const entry = page.subarray(HEADER + page.readUInt16LE(HEADER + at))
      const value = entry.subarray(ENTRY + entry.readUInt16LE(6))
      if (isBranch) this.#walk(entry.readUInt32LE(0), kind)
      else if (entry.readUInt8(4) & ENTRY_LARGE) this.#addLarge(value.readUInt32LE(0))
      else if (entry.readUInt8(4) & ENTRY_TREE) this.#walk(value.readUInt32LE(8), 'leaf')
    }
  }

  #addLarge(first: number): void {
    const page = this.#page(first)
    if ((page.readUInt16LE(10) & LARGE) === 0) throw new Error(`page ${first} holds no large value`)
    this.pages.push({ number: first, kind: 'large value, first page' })
    for (let n = 1; n < page.readUInt32LE(12); n += 1)
      this.pages.push({ number: first + n, kind: 'large value, other page' })
  }
}
