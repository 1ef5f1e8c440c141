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

/** What the store holds now. Sizes are bytes. */
export interface CacheStats {
  repos: number
  quants: number
  files: number
  /** Distinct contents. */
  blobs: number
  /** Size of the complete ones. */
  bytes: number
  /** What interrupted downloads have stored. */
  partialBytes: number
  /** Free inside the store, for the next download. */
  reusable: number
  /** What the store takes on the disk. */
  diskBytes: number
  /** Read transactions open now, of all processes. */
  readers: number
  /** Files of this process whose bytes some handle or buffer holds. */
  views: number
}
