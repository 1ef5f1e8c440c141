//! Sizes of the on-disk format. Every process must use the same ones: the first opener's environment settings win silently.

/// Name that libmdbx gives its data file in the folder of an environment.
pub const DATA_FILE: &str = "mdbx.dat";

/// Payload bytes of a full chunk: 100 MiB, a multiple of every page size.
pub const CHUNK_SIZE: u64 = 100 << 20;

/// Bytes covered by one CRC32C: 4 MiB. Divides [`CHUNK_SIZE`], so a block never crosses a chunk.
pub const BLOCK_SIZE: u64 = 4 << 20;

/// Files below this size (64 KiB) live in M and are copied out; the others live in chunks.
pub const INLINE_LIMIT: u64 = 64 << 10;

/// Page size of environment C. Payloads start at least on this boundary of the file, a multiple of every operating system's page.
pub(crate) const CHUNK_PAGE: usize = 64 << 10;

/// Page size of environment M.
pub(crate) const MANIFEST_PAGE: usize = 4 << 10;

/// libmdbx puts this header before a large value (`PAGEHDRSZ`, libmdbx 0.14 `layout-dxb.h`).
pub(crate) const PAGE_HEADER: usize = 20;

/// Padding before the payload or the spare pages: with [`PAGE_HEADER`] it fills exactly one page of C.
pub(crate) const PADDING: usize = CHUNK_PAGE - PAGE_HEADER;

/// Payloads of at least this many bytes (16 MiB) begin on a boundary of [`PAYLOAD_ALIGNMENT`].
const ALIGNED_FROM: u64 = 16 << 20;

/// Boundary of the file on which a large payload begins: 1 MiB, the largest piece the page cache keeps together. From a boundary
/// of 64 KiB alone, pieces are smaller, and the first scan of a view faults several times as often.
pub(crate) const PAYLOAD_ALIGNMENT: u64 = 1 << 20;

/// Pages of a large payload's run that are neither written nor backed: wherever libmdbx puts the run, the boundary is in reach.
const SPARE_PAGES: u64 = PAYLOAD_ALIGNMENT / CHUNK_PAGE as u64 - 1;

/// Most chunks one reserve transaction takes, so that C's write lock is held for 10 to 20 ms at most.
pub(crate) const CHUNKS_PER_RESERVE: usize = 16;

/// Upper bound of C: 4 TiB of address space, reserved and not used until needed.
pub(crate) const CHUNK_MAX_SIZE: isize = 4 << 40;

/// C grows in steps of 256 MiB.
pub(crate) const CHUNK_GROWTH: isize = 256 << 20;

/// Upper bound of M: 64 GiB.
pub(crate) const MANIFEST_MAX_SIZE: isize = 64 << 30;

/// M grows in steps of 1 MiB.
pub(crate) const MANIFEST_GROWTH: isize = 1 << 20;

/// Reader slots of each environment; a process uses one per live snapshot.
pub(crate) const MAX_READERS: u32 = 1024;

/// GC entries searched for a contiguous run (`MDBX_opt_rp_augment_limit`); the default gives up after 2 GB of free pages.
pub(crate) const AUGMENT_LIMIT: u64 = 16 << 20;

/// Pages of a run that only align a payload of `payload` bytes.
pub(crate) const fn spare_pages(payload: u64) -> u64 {
    if payload < ALIGNED_FROM { 0 } else { SPARE_PAGES }
}

/// As [`spare_pages`], of a run of `pages`: no run of an unaligned payload is as long as the shortest of an aligned one.
pub(crate) const fn spare_pages_of_run(pages: u64) -> u64 {
    if pages < 1 + ALIGNED_FROM / CHUNK_PAGE as u64 + SPARE_PAGES { 0 } else { SPARE_PAGES }
}

/// Bytes of the value of a chunk with `payload` bytes.
pub(crate) const fn value_length(payload: u64) -> u64 {
    PADDING as u64 + spare_pages(payload) * CHUNK_PAGE as u64 + payload
}

/// How many chunks a file of `size` bytes has.
pub(crate) const fn chunk_count(size: u64) -> u64 {
    size.div_ceil(CHUNK_SIZE)
}

/// Payload bytes of chunk `n` of a file of `size` bytes.
pub(crate) const fn chunk_length(size: u64, n: u64) -> u64 {
    let start = n * CHUNK_SIZE;
    let rest = size.saturating_sub(start);
    if rest < CHUNK_SIZE { rest } else { CHUNK_SIZE }
}
