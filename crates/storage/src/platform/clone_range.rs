//! Sharing a range of one file with another (`FICLONERANGE`).
#![expect(unsafe_code, reason = "a system call the bindings have no form of for a part of a file")]

use std::io;
use std::os::fd::AsRawFd as _;

use rustix::io::Errno;
use rustix::ioctl::{Opcode, Setter, ioctl, opcode};

use super::BorrowedFile;

/// `struct file_clone_range` of `linux/fs.h`.
#[repr(C)]
struct FileCloneRange {
    source: i64,
    source_offset: u64,
    length: u64,
    offset: u64,
}

const FICLONERANGE: Opcode = opcode::write::<FileCloneRange>(0x94, 13);

/// Makes `length` bytes at `offset` of `to` share the disk blocks of those at `source_offset` of `from`. All three are multiples
/// of the file system's block. [`io::ErrorKind::Unsupported`] where the file systems cannot, [`io::ErrorKind::CrossesDevices`]
/// where they are two.
pub(crate) fn clone_range(
    from: BorrowedFile<'_>,
    source_offset: u64,
    to: BorrowedFile<'_>,
    offset: u64,
    length: u64,
) -> io::Result<()> {
    let range = FileCloneRange { source: i64::from(from.as_raw_fd()), source_offset, length, offset };
    // SAFETY: this is the structure that the kernel expects with this opcode; it reads it and keeps nothing of it.
    let call = unsafe { Setter::<FICLONERANGE, FileCloneRange>::new(range) };
    // SAFETY: both descriptors are open for the length of the call, and the call touches no memory of the process.
    match unsafe { ioctl(to, call) } {
        Err(Errno::NOTTY | Errno::OPNOTSUPP | Errno::NOSYS) => Err(io::ErrorKind::Unsupported.into()),
        outcome => Ok(outcome?),
    }
}
