//! Linux.

use std::fs::File;
use std::io::{self, IoSliceMut};
use std::os::fd::AsRawFd as _;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};

use rustix::fs::{AtFlags, CWD, FallocateFlags, IFlags, Mode, OFlags};
use rustix::io::{Errno, ReadWriteFlags};

use super::{BorrowedFile, read_at};

/// `RWF_DONTCACHE` (since Linux 6.14): what the read brings into the page cache leaves it, what was there stays.
const DONT_CACHE: ReadWriteFlags = ReadWriteFlags::from_bits_retain(0x80);

/// Whether a kernel or file system has refused [`DONT_CACHE`].
static ALWAYS_CACHES: AtomicBool = AtomicBool::new(false);

/// As [`read_at`], for bytes that nobody needs again soon: they do not take the place of others in the page cache, as far as the
/// system can do so.
pub(crate) fn read_once_at(file: BorrowedFile<'_>, buffer: &mut [u8], offset: u64) -> io::Result<()> {
    let mut done = 0;
    while let Some(rest) = buffer.get_mut(done..).filter(|rest| !rest.is_empty()) {
        let at = offset + done as u64;
        if ALWAYS_CACHES.load(Ordering::Relaxed) {
            return read_at(file, rest, at);
        }
        match rustix::io::preadv2(file, &mut [IoSliceMut::new(rest)], at, DONT_CACHE) {
            Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
            Ok(n) => done += n,
            Err(Errno::INTR) => {}
            Err(Errno::OPNOTSUPP | Errno::INVAL | Errno::NOSYS) => {
                ALWAYS_CACHES.store(true, Ordering::Relaxed);
            }
            Err(error) => return Err(error.into()),
        }
    }
    Ok(())
}

/// Makes everything written so far durable (`fdatasync`).
pub(crate) fn sync_data(file: BorrowedFile<'_>) -> io::Result<()> {
    Ok(rustix::fs::fdatasync(file)?)
}

/// Gives `length` bytes at `offset` room on the disk without changing the file's size or contents.
pub(crate) fn allocate(file: BorrowedFile<'_>, offset: u64, length: u64) -> io::Result<()> {
    retry(|| rustix::fs::fallocate(file, FallocateFlags::KEEP_SIZE, offset, length))
}

/// Has a file that is still empty rewritten in place for good. On btrfs every new write takes new room otherwise, whatever room the
/// file has; other file systems rewrite in place anyway, and know no such flag.
pub(crate) fn rewrite_in_place(file: BorrowedFile<'_>) {
    if let Ok(flags) = rustix::fs::ioctl_getflags(file) {
        rustix::fs::ioctl_setflags(file, flags | IFlags::NOCOW).ok();
    }
}

/// Has the whole file read into the page cache, in large pieces, for whoever is about to look at all of it in any order. A hint.
pub(crate) fn read_ahead(file: BorrowedFile<'_>) {
    rustix::fs::fadvise(file, 0, None, rustix::fs::Advice::WillNeed).ok();
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

/// Where a process finds its open files by number.
const OPEN_FILES: &str = "/proc/self/fd";

/// Creates a file without a name in `folder`, which is gone with its last descriptor; `None` where that is not possible.
pub(crate) fn create_unnamed(folder: BorrowedFile<'_>) -> io::Result<Option<File>> {
    if !Path::new(OPEN_FILES).exists() {
        return Ok(None);
    }
    let flags = OFlags::TMPFILE | OFlags::RDWR | OFlags::CLOEXEC;
    match rustix::fs::openat(folder, ".", flags, Mode::from_raw_mode(0o644)) {
        // What file systems answer that do not know it, and kernels that do not.
        Err(Errno::OPNOTSUPP | Errno::ISDIR | Errno::INVAL | Errno::NOENT) => Ok(None),
        outcome => Ok(Some(outcome?.into())),
    }
}

/// Gives a file of [`create_unnamed`] a name that is free.
pub(crate) fn give_name(file: &File, folder: BorrowedFile<'_>, name: &str) -> io::Result<()> {
    let open = format!("{OPEN_FILES}/{}", file.as_raw_fd());
    Ok(rustix::fs::linkat(CWD, open, folder, name, AtFlags::SYMLINK_FOLLOW)?)
}

fn retry(mut call: impl FnMut() -> rustix::io::Result<()>) -> io::Result<()> {
    loop {
        match call() {
            Err(Errno::INTR) => {}
            other => return Ok(other?),
        }
    }
}

/// Whether a signal has stopped a process: the state that follows its name, which is in parentheses.
pub(crate) fn is_stopped(process: u32) -> bool {
    let stat = std::fs::read(format!("/proc/{process}/stat")).unwrap_or_default();
    String::from_utf8_lossy(&stat).rsplit_once(") ").is_some_and(|(_, state)| state.starts_with('T'))
}

/// Memory mappings a process may have (`vm.max_map_count`; the kernel's default when it cannot be read).
pub(crate) fn mapping_limit() -> u64 {
    const DEFAULT: u64 = 65_530;
    let text = std::fs::read_to_string("/proc/sys/vm/max_map_count").unwrap_or_default();
    text.trim().parse().unwrap_or(DEFAULT)
}
