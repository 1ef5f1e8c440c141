//! An open lock file. It does not outlive its process in a fork child: a lock belongs to the open file, which a child shares.

use std::fs::File;
use std::io;
use std::ops::Deref;

use crate::platform;
use crate::process::Process;

/// An open file to lock. Dropping it unlocks it.
#[derive(Debug)]
pub(crate) struct LockDescriptor {
    file: File,
    process: Process,
}

impl LockDescriptor {
    /// The file that `open` opens.
    pub(crate) fn open(open: impl FnOnce() -> io::Result<File>) -> io::Result<Self> {
        Ok(Self { file: platform::open_uninherited(open)?, process: Process::current() })
    }

    /// Whether this process opened it: in a fork child it is another, useless file.
    pub(crate) fn is_ours(&self) -> bool {
        self.process.is_current()
    }
}

impl Deref for LockDescriptor {
    type Target = File;

    fn deref(&self) -> &File {
        &self.file
    }
}

impl Drop for LockDescriptor {
    fn drop(&mut self) {
        if self.is_ours() {
            // Unlocked before a child can inherit it again.
            self.file.unlock().ok();
            platform::inherit(&self.file);
        }
    }
}
