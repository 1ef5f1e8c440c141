/** What a removal did. */
export interface RemoveReport {
  /** Files that are no longer listed as stored. */
  files: number
  /** Stored contents that went with them; content that another file shares stays. */
  blobs: number
  /** Bytes given back to the disk. */
  freed: number
  /** Bytes free inside the store, for the next download. */
  reusable: number
  /** What stayed, and why. */
  kept: { path: string; why: string }[]
}

/** What the store holds now. Repositories, quants and files are those of this endpoint, the rest is the whole store's. */
export interface CacheStats {
  /** Repositories that were scanned. */
  repos: number
  /** Quants that are complete. */
  quants: number
  /** Stored files, counted once per commit. */
  files: number
  /** Distinct contents. */
  blobs: number
  /** Bytes of the complete ones. */
  bytes: number
  /** Bytes that unfinished downloads have stored. */
  partialBytes: number
  /** Bytes free inside the store, for the next download. */
  reusable: number
  /** Bytes the store takes on the disk. */
  diskBytes: number
  /** Read transactions open now, of all processes. */
  readers: number
  /** Views of files that buffers of this process show. */
  views: number
}
