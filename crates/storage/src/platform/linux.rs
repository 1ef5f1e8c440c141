//! Linux.

use std::io;

use rustix::fs::FallocateFlags;
use rustix::io::Errno;

use super::BorrowedFile;

/// Makes everything written so far durable (`fdatasync`).
pub(crate) fn sync_data(file: BorrowedFile<'_>) -> io::Result<()> {
    Ok(rustix::fs::fdatasync(file)?)
}

/// Gives `length` bytes at `offset` room on the disk without changing the file's size or contents.
pub(crate) fn allocate(file: BorrowedFile<'_>, offset: u64, length: u64) -> io::Result<()> {
    retry(|| rustix::fs::fallocate(file, FallocateFlags::KEEP_SIZE, offset, length))
}

/// Gives the room of `length` bytes at `offset` back to the disk; they read as zeros.
pub(crate) fn punch(file: BorrowedFile<'_>, offset: u64, length: u64) -> io::Result<()> {
    retry(|| {
        rustix::fs::fallocate(file, FallocateFlags::PUNCH_HOLE | FallocateFlags::KEEP_SIZE, offset, length)
    })
}

/// Copies up to `length` bytes at `source_offset` of `from` to `offset` of `to` without bringing them to the process, and tells
/// how many; 0 at the end of `from`. The file system may share them instead.
pub(crate) fn copy_range(
    from: BorrowedFile<'_>,
    mut source_offset: u64,
    to: BorrowedFile<'_>,
    mut offset: u64,
    length: u64,
) -> io::Result<u64> {
    let length = usize::try_from(length).unwrap_or(usize::MAX);
    loop {
        match rustix::fs::copy_file_range(from, Some(&mut source_offset), to, Some(&mut offset), length) {
            Err(Errno::INTR) => {}
            other => return Ok(other? as u64),
        }
    }
}

fn retry(mut call: impl FnMut() -> rustix::io::Result<()>) -> io::Result<()> {
    loop {
        match call() {
            Err(Errno::INTR) => {}
            other => return Ok(other?),
        }
    }
}

/// Memory mappings a process may have (`vm.max_map_count`; the kernel's default when it cannot be read).
pub(crate) fn mapping_limit() -> u64 {
    const DEFAULT: u64 = 65_530;
    let text = std::fs::read_to_string("/proc/sys/vm/max_map_count").unwrap_or_default();
    text.trim().parse().unwrap_or(DEFAULT)
}
