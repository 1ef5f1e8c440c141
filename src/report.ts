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

/** What a prune did, or would do. */
export interface PruneReport extends RemoveReport {
  /** Things nobody refers to, left by processes that died: reservations, contents, records and lock files. */
  orphans: number
  /** Partial downloads that nobody goes on with. */
  partials: number
  /** Plain files that nobody holds: left by processes that died, and kept ones where these were asked for. */
  plainFiles: number
  /** Bytes of these, not part of `freed`: where they shared blocks with the store, the disk got nothing back. */
  plainBytes: number
  /** Quants that went, the least recently used first. */
  quants: { repo: string; quant: string }[]
  /** Whether nothing was changed; then `freed` is the bytes of what would go. */
  dryRun: boolean
}

/** What a check of the store found. */
export interface VerifyReport {
  /** Stored files that were checked, counted once per commit. */
  files: number
  /** Bytes that were compared; those that files share count once. */
  bytes: number
  /**
   * Bytes that are not those that were stored, as the damaged blocks of at most 4 MiB, neighbours joined. Such a file counts as
   * stored, and without `verify` its damaged bytes are handed out.
   */
  damaged: {
    repo: string
    /** Commit the file belongs to. */
    commit: string
    path: string
    /** First damaged byte of the file. */
    offset: number
    length: number
    /** Whether they are right again. */
    repaired: boolean
    /** Why a repair failed, or why none of the file's bytes can be told from others. */
    why?: string
  }[]
  /** Files whose bytes are nowhere. They do not count as stored any more: download them again. */
  missing: { repo: string; commit: string; path: string }[]
  /**
   * What nobody refers to and `prune()` removes; 0 when only one repository was checked, and when damaged records keep it from
   * being told.
   */
  orphans: number
  /**
   * Records of the store that cannot be read, by their keys as docs/design.md lists them. What they say is not known until they are
   * repaired: made again from other records, or forgotten, so that a scan or a download brings it back.
   */
  records: { key: string; why: string; repaired: boolean }[]
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
  /** Plain files made by `materialize`. */
  plainFiles: number
  /** Bytes of these, not part of `diskBytes`; where they share blocks with the store they take no room of their own. */
  plainBytes: number
  /** Read transactions open now, of all processes. */
  readers: number
  /** Views of files that buffers of this process show. */
  views: number
}
