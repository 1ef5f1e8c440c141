//! What Linux and macOS have in common.

use std::io;
use std::os::fd::{AsFd as _, BorrowedFd};
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

use rustix::io::Errno;

use super::FileIdentity;

/// An open file that someone else owns.
pub(crate) type BorrowedFile<'a> = BorrowedFd<'a>;

/// Whether files can be mapped into memory here.
pub(crate) const CAN_MAP: bool = true;

/// Value of a file handle before libmdbx has set it.
pub(crate) const NO_FILE: std::os::fd::RawFd = -1;

/// An open file as the functions here take it.
pub(crate) fn borrow(file: &std::fs::File) -> BorrowedFile<'_> {
    file.as_fd()
}

/// Writes all of `bytes` at `offset`.
pub(crate) fn write_at(file: BorrowedFile<'_>, mut bytes: &[u8], mut offset: u64) -> io::Result<()> {
    while !bytes.is_empty() {
        match rustix::io::pwrite(file, bytes, offset) {
            Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
            Ok(n) => {
                bytes = bytes.get(n..).unwrap_or_default();
                offset += n as u64;
            }
            Err(Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Ok(())
}

/// Fills `buffer` from `offset`.
pub(crate) fn read_at(file: BorrowedFile<'_>, buffer: &mut [u8], offset: u64) -> io::Result<()> {
    let mut done = 0;
    while let Some(rest) = buffer.get_mut(done..).filter(|rest| !rest.is_empty()) {
        match rustix::io::pread(file, rest, offset + done as u64) {
            Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
            Ok(n) => done += n,
            Err(Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Ok(())
}

/// Bytes this user may still write to the file system that holds `path`.
pub(crate) fn available(path: &Path) -> io::Result<u64> {
    let stat = rustix::fs::statvfs(path)?;
    Ok(stat.f_bavail.saturating_mul(stat.f_frsize))
}

/// Apparent size and allocated bytes of an open file.
pub(crate) fn file_size(file: BorrowedFile<'_>) -> io::Result<(u64, u64)> {
    let stat = rustix::fs::fstat(file)?;
    let positive = |n: i64| u64::try_from(n).unwrap_or(0);
    Ok((positive(stat.st_size), positive(stat.st_blocks) * 512))
}

/// Bytes of a memory page.
pub(crate) fn page_size() -> u64 {
    rustix::param::page_size() as u64
}

/// What tells the file at `path`, which is no link, from all others.
pub(crate) fn identity_at(path: &Path) -> io::Result<FileIdentity> {
    let found = std::fs::symlink_metadata(path)?;
    Ok(FileIdentity { volume: found.dev(), number: found.ino(), names: found.nlink() })
}

/// Whether `file` is the file that `path` names now.
pub(crate) fn is_file_at(file: &std::fs::File, path: &Path) -> io::Result<bool> {
    let open = file.metadata()?;
    match std::fs::metadata(path) {
        Ok(named) => Ok((named.dev(), named.ino()) == (open.dev(), open.ino())),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(error),
    }
}

/// Whether this process, or the system, has as many files open as it may.
pub(crate) fn is_out_of_descriptors(error: &io::Error) -> bool {
    let errno = error.raw_os_error().map(Errno::from_raw_os_error);
    matches!(errno, Some(Errno::MFILE | Errno::NFILE))
}
