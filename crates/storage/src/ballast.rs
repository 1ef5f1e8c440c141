//! Disk space that is thrown overboard when the disk is full, so that a store can still be opened and removed from.

use std::fs::{self, OpenOptions};
use std::path::Path;

use crate::platform;

/// Name of the file, in the folder of the lock files.
const NAME: &str = "ballast";

/// Its size (20 MiB): what deleting chunks may take, and opening the store.
const SIZE: u64 = 20 << 20;

/// Takes it on board, where the system can, unless it is. For when the disk has room to spare; without it a full disk is only an
/// error sooner.
pub(crate) fn take(locks: &Path) {
    let path = locks.join(NAME);
    if path.exists() {
        return;
    }
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let taken = options.open(&path).and_then(|file| platform::allocate(platform::borrow(&file), 0, SIZE));
    if taken.is_err() {
        fs::remove_file(&path).ok();
    }
}

/// Throws it overboard.
pub(crate) fn drop(locks: &Path) {
    fs::remove_file(locks.join(NAME)).ok();
}
