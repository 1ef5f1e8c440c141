//! The lock of a stub: shared by all who use it, and of one alone who makes or removes it.

use std::fs;
use std::path::{Path, PathBuf};

use crate::error::{Result, StorageError};
use crate::lock_descriptor::LockDescriptor;
use crate::lock_file::{create, granted, is_there};

/// What the file of a lock holds once the stub is whole. Whoever gets the lock alone takes it away first: of what was there while
/// nobody used it nothing counts, since it was never synced.
const WHOLE: &[u8] = b"whole";

/// An open lock file, locked or not. The system unlocks it when its process ends.
#[derive(Debug)]
pub(crate) struct StubLock {
    file: LockDescriptor,
    path: PathBuf,
}

/// What came of asking for a lock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Asked {
    Granted,
    /// Others have it.
    Held,
    /// The file was removed: open it again.
    Gone,
}

impl StubLock {
    pub(crate) fn open(path: &Path) -> Result<Self> {
        Ok(Self { file: create(path)?, path: path.to_owned() })
    }

    /// Asks for the lock alone.
    pub(crate) fn ask_alone(&self) -> Result<Asked> {
        if !granted(self.file.try_lock(), &self.path)? {
            return Ok(Asked::Held);
        }
        if !is_there(&self.file, &self.path)? {
            return Ok(Asked::Gone);
        }
        self.file.set_len(0).map_err(|error| StorageError::io("write a lock file", &self.path, error))?;
        Ok(Asked::Granted)
    }

    /// Asks for a part in the lock of a stub that is whole.
    pub(crate) fn ask_shared(&self) -> Result<Asked> {
        if !granted(self.file.try_lock_shared(), &self.path)? {
            return Ok(Asked::Held);
        }
        if is_there(&self.file, &self.path)? && fs::read(&self.path).is_ok_and(|text| text == WHOLE) {
            return Ok(Asked::Granted);
        }
        self.unlock();
        Ok(Asked::Gone)
    }

    /// Says that the stub is whole. Only who has the lock alone may.
    pub(crate) fn mark_whole(&self) -> Result<()> {
        let written = std::io::Write::write_all(&mut &*self.file, WHOLE);
        written.map_err(|error| StorageError::io("write a lock file", &self.path, error))
    }

    pub(crate) fn unlock(&self) {
        self.file.unlock().ok();
    }

    /// Removes the file. Only who has the lock alone may.
    pub(crate) fn remove(&self) {
        fs::remove_file(&self.path).ok();
        self.unlock();
    }

    /// False in a fork child of the process that opened it.
    pub(crate) fn is_ours(&self) -> bool {
        self.file.is_ours()
    }
}
