//! macOS. Not run yet: type-checked only.

use std::fs::File;
use std::io;

use super::BorrowedFile;

/// Makes everything written so far durable. `fsync` alone leaves it in the drive's cache on this system.
pub(crate) fn sync_data(file: BorrowedFile<'_>) -> io::Result<()> {
    Ok(rustix::fs::fcntl_fullfsync(file)?)
}

/// There are no files without a name here.
#[expect(clippy::unnecessary_wraps, reason = "the same signature as on Linux")]
pub(crate) fn create_unnamed(_folder: BorrowedFile<'_>) -> io::Result<Option<File>> {
    Ok(None)
}

/// There is no file to give a name.
pub(crate) fn give_name(_file: &File, _folder: BorrowedFile<'_>, _name: &str) -> io::Result<()> {
    Err(io::ErrorKind::Unsupported.into())
}
