//! Lock files: an operating system lock on a small file that its holder removes. The system frees the lock when its holder
//! dies, however it dies.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::error::{Result, StorageError};
use crate::lock_descriptor::LockDescriptor;
use crate::platform;

/// A taker that finds the file locked tries again this often, because a status probe may hold it for an instant.
const RETRIES: u32 = 3;

/// Pause before each retry; all of them take 100 ms.
const PAUSE: Duration = Duration::from_millis(33);

/// How a file is locked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum LockMode {
    Exclusive,
    Shared,
}

/// A held lock. Its file is the one at its path for as long as it is held: only a holder of the exclusive lock removes it.
#[derive(Debug)]
pub(crate) struct LockFile {
    file: LockDescriptor,
    path: PathBuf,
}

impl LockFile {
    /// Takes the lock at `path`; `None` when others hold it in a conflicting mode.
    pub(crate) fn take(path: &Path, mode: LockMode) -> Result<Option<Self>> {
        for attempt in 0..=RETRIES {
            if attempt > 0 {
                std::thread::sleep(PAUSE);
            }
            if let Some(lock) = Self::take_once(path, mode)? {
                return Ok(Some(lock));
            }
        }
        Ok(None)
    }

    fn take_once(path: &Path, mode: LockMode) -> Result<Option<Self>> {
        loop {
            let file = create(path)?;
            if !lock(&file, path, mode)? {
                return Ok(None);
            }
            // Its last holder may have removed the file between opening and locking; then another file has this name.
            if platform::is_file_at(&file, path)
                .map_err(|e| StorageError::io("check a lock file", path, e))?
            {
                return Ok(Some(Self { file, path: path.to_owned() }));
            }
        }
    }

    /// Locks an existing file for an instant; `None` when there is none or it is gone, `Some(false)` when others hold it in a
    /// conflicting mode. Never creates the file.
    pub(crate) fn probe(path: &Path, mode: LockMode) -> Result<Option<bool>> {
        let file = match LockDescriptor::open(|| File::open(path)) {
            Ok(file) => file,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(StorageError::io("open a lock file", path, error)),
        };
        lock(&file, path, mode).map(Some)
    }

    /// The open file.
    pub(crate) fn file(&self) -> &File {
        &self.file
    }

    /// Waits for the exclusive lock at `path`, whose file nobody removes.
    pub(crate) fn wait(path: &Path) -> Result<Self> {
        let file = create(path)?;
        file.lock().map_err(|error| StorageError::io("lock a file", path, error))?;
        Ok(Self { file, path: path.to_owned() })
    }

    /// Gives an exclusive lock up: removes the file while it is still locked, then unlocks it.
    pub(crate) fn remove(&self) {
        // A fork child has the memory of a holder and neither the lock nor the right to remove the file.
        if self.file.is_ours() {
            // A file that cannot be removed is harmless: the lock counts, not the file.
            fs::remove_file(&self.path).ok();
            self.file.unlock().ok();
        }
    }

    /// Gives a shared lock up; the last holder removes the file.
    pub(crate) fn remove_if_last(&self) {
        if !self.file.is_ours() {
            return;
        }
        self.file.unlock().ok();
        let last = self.file.try_lock().is_ok();
        if last && platform::is_file_at(&self.file, &self.path).unwrap_or(false) {
            fs::remove_file(&self.path).ok();
        }
        self.file.unlock().ok();
    }
}

fn create(path: &Path) -> Result<LockDescriptor> {
    let mut options = OpenOptions::new();
    options.read(true).write(true).create(true).truncate(false);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    LockDescriptor::open(|| options.open(path))
        .map_err(|error| StorageError::io("open a lock file", path, error))
}

fn lock(file: &File, path: &Path, mode: LockMode) -> Result<bool> {
    let outcome = match mode {
        LockMode::Exclusive => file.try_lock(),
        LockMode::Shared => file.try_lock_shared(),
    };
    match outcome {
        Ok(()) => Ok(true),
        Err(TryLockError::WouldBlock) => Ok(false),
        Err(TryLockError::Error(error)) => Err(StorageError::io("lock a file", path, error)),
    }
}
