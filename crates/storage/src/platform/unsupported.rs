//! What only Linux has, on systems without it: it is refused, or needs nothing.
#![expect(clippy::unnecessary_wraps, reason = "the same signatures as on Linux")]

use std::borrow::Cow;
use std::io;
use std::path::Path;

use super::{BorrowedFile, read_at};

/// As [`read_at`]: what a read brings into the page cache stays there on this system.
pub(crate) fn read_once_at(file: BorrowedFile<'_>, buffer: &mut [u8], offset: u64) -> io::Result<()> {
    read_at(file, buffer, offset)
}

/// Whether all of these mapped bytes are in memory. Nobody tells on this system.
pub(crate) fn is_resident(_bytes: &[u8]) -> bool {
    false
}

/// This system has no allocation that keeps size and contents: the free space was checked beforehand, with a margin.
pub(crate) fn allocate(_file: BorrowedFile<'_>, _offset: u64, _length: u64) -> io::Result<()> {
    Ok(())
}

/// libmdbx knows them here.
pub(crate) fn network_file_system(_path: &Path) -> io::Result<Option<Cow<'static, str>>> {
    Ok(None)
}

/// All writes are in place already, or nobody can tell.
pub(crate) fn rewrite_in_place(_file: BorrowedFile<'_>) {}

/// No such hint is used here.
pub(crate) fn read_ahead(_file: BorrowedFile<'_>) {}

/// Holes are not punched here: the space is reused inside the store.
pub(crate) fn punch(_file: BorrowedFile<'_>, _offset: u64, _length: u64) -> io::Result<()> {
    Err(io::ErrorKind::Unsupported.into())
}

/// Ranges of files are not shared here.
pub(crate) fn clone_range(
    _from: BorrowedFile<'_>,
    _source_offset: u64,
    _to: BorrowedFile<'_>,
    _offset: u64,
    _length: u64,
) -> io::Result<()> {
    Err(io::ErrorKind::Unsupported.into())
}

/// The system copies nothing on its own here.
pub(crate) fn copy_range(
    _from: BorrowedFile<'_>,
    _source_offset: u64,
    _to: BorrowedFile<'_>,
    _offset: u64,
    _length: u64,
) -> io::Result<u64> {
    Err(io::ErrorKind::Unsupported.into())
}

/// Whether a process is stopped. Nobody is asked on this system.
pub(crate) fn is_stopped(_process: u32) -> bool {
    false
}

/// Memory mappings a process may have. This system has no such limit: Linux's default keeps the behaviour the same.
pub(crate) fn mapping_limit() -> u64 {
    65_530
}
