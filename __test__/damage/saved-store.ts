import { mkdir, open, readFile, rm } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { DatabaseFile } from './database-file.js'

/** The databases of a store: the folder of each, and the size of its pages. */
export const DATABASES = [
  { name: 'model_cache_chunks', pageSize: 64 << 10 },
  { name: 'model_cache_manifests', pageSize: 4 << 10 },
] as const

/** Bytes of a file and how long it is: behind them there is a hole. */
interface Saved {
  bytes: Buffer
  length: number
}

/** The files of a store that nobody has open, to damage them and to have them back. */
export class SavedStore {
  readonly path: string
  readonly #files = new Map<string, Saved>()
  readonly databases: Record<string, DatabaseFile> = {}

  private constructor(path: string) {
    this.path = path
  }

  static async of(path: string): Promise<SavedStore> {
    const saved = new SavedStore(path)
    for (const { name, pageSize } of DATABASES) {
      const location = saved.dataFile(name)
      const database = await DatabaseFile.read(location, pageSize)
      const bytes = await readFile(location)
      const used = (1 + Math.max(...database.pages.map(({ number }) => number))) * pageSize
      saved.databases[name] = database
      saved.#files.set(location, { bytes: Buffer.from(bytes.subarray(0, used)), length: bytes.length })
    }
    return saved
  }

  dataFile(database: string): string {
    return join(this.path, database, 'mdbx.dat')
  }

  /** What is in use of a data file. */
  bytes(database: string): Buffer {
    return this.#files.get(this.dataFile(database))?.bytes ?? Buffer.alloc(0)
  }

  /** Makes everything as it was when it was saved; lock files are as after a restart of the machine. */
  async restore(): Promise<void> {
    await rm(this.path, { recursive: true, force: true })
    await this.restoreData()
  }

  /** Makes the data files as they were, and leaves the other files as they are. */
  async restoreData(): Promise<void> {
    for (const [location, { bytes, length }] of this.#files) {
      await rm(location, { force: true })
      await mkdir(dirname(location), { recursive: true })
      const handle = await open(location, 'w')
      try {
        await handle.write(bytes)
        await handle.truncate(length)
      } finally {
        await handle.close()
      }
    }
  }

  /** Changes one byte of a data file. */
  async change(database: string, at: number, to: number): Promise<void> {
    const handle = await open(this.dataFile(database), 'r+')
    try {
      await handle.write(Buffer.from([to]), 0, 1, at)
    } finally {
      await handle.close()
    }
  }
}
