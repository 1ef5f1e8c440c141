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

/// A held lock, exclusive. Its file is the one at its path for as long as it is held: only a holder removes it.
#[derive(Debug)]
pub(crate) struct LockFile {
    file: LockDescriptor,
    path: PathBuf,
}

impl LockFile {
    /// Takes the lock at `path`; `None` when someone else holds it.
    pub(crate) fn take(path: &Path) -> Result<Option<Self>> {
        for attempt in 0..=RETRIES {
            if attempt > 0 {
                std::thread::sleep(PAUSE);
            }
            if let Some(lock) = Self::take_once(path)? {
                return Ok(Some(lock));
            }
        }
        Ok(None)
    }

    /// As [`take`](Self::take), at the first try.
    pub(crate) fn take_once(path: &Path) -> Result<Option<Self>> {
        let file = lock_at(path, File::try_lock)?;
        Ok(file.map(|file| Self { file, path: path.to_owned() }))
    }

    /// Whether someone holds the lock at `path`. Probes share the file with each other, so they see holders only; a taker waits
    /// them out. Never creates the file.
    pub(crate) fn is_held(path: &Path) -> Result<bool> {
        match existing(path)? {
            Some(file) => Ok(!granted(file.try_lock_shared(), path)?),
            None => Ok(false),
        }
    }

    /// As [`is_held`](Self::is_held), for files whose holders leave them empty. A sweep holds a dead one's, too, for an instant, and
    /// has marked it.
    pub(crate) fn is_held_empty(path: &Path) -> Result<bool> {
        let Some(file) = existing(path)? else { return Ok(false) };
        Ok(!granted(file.try_lock_shared(), path)? && file.metadata().is_ok_and(|file| file.len() == 0))
    }

    /// Removes the file at `path` when nobody holds its lock.
    pub(crate) fn sweep(path: &Path) -> Result<()> {
        let Some(file) = open(path, OpenOptions::new().read(true).write(true))? else { return Ok(()) };
        // Nobody holds it, and nobody can while it is marked.
        if !granted(file.try_lock_shared(), path)? {
            return Ok(());
        }
        file.set_len(1)
            .and_then(|()| file.unlock())
            .map_err(|e| StorageError::io("mark a lock file", path, e))?;
        if granted(file.try_lock(), path)? && platform::is_file_at(&file, path).unwrap_or(false) {
            fs::remove_file(path).ok();
        }
        Ok(())
    }

    /// Where its file is.
    pub(crate) fn path(&self) -> &Path {
        &self.path
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

    /// Lets others have a part in it and keeps one; `None` when somebody took it for themselves in between, where `between` runs.
    pub(crate) fn share(self, between: &dyn Fn()) -> Result<Option<SharedLock>> {
        let Self { file, path } = self;
        let shared = exchange(&file, &path, |file| {
            between();
            file.try_lock_shared()
        })?;
        Ok(shared.then_some(SharedLock { file, path }))
    }

    /// Gives the lock up: removes the file while it is still locked, then unlocks it.
    pub(crate) fn remove(&self) {
        // A fork child has the memory of a holder and neither the lock nor the right to remove the file.
        if self.file.is_ours() {
            // A file that cannot be removed is harmless: the lock counts, not the file.
            fs::remove_file(&self.path).ok();
            self.file.unlock().ok();
        }
    }
}

/// A part in a lock that several may have at once, and nobody together with a [`LockFile`].
#[derive(Debug)]
pub(crate) struct SharedLock {
    file: LockDescriptor,
    path: PathBuf,
}

impl SharedLock {
    /// Takes part in the lock at `path`; `None` when someone holds it for themselves.
    pub(crate) fn take(path: &Path) -> Result<Option<Self>> {
        let file = lock_at(path, File::try_lock_shared)?;
        Ok(file.map(|file| Self { file, path: path.to_owned() }))
    }

    /// Where its file is, which nobody removes meanwhile.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Whether this process took it: a fork child of that process has no part in it.
    pub(crate) fn is_ours(&self) -> bool {
        self.file.is_ours()
    }

    /// Gives the part up; the last one to do so gets the lock for itself. Of several at once it is one.
    pub(crate) fn leave(self) -> Result<Option<LockFile>> {
        let Self { file, path } = self;
        let last = exchange(&file, &path, File::try_lock)?;
        Ok(last.then_some(LockFile { file, path }))
    }

    /// Whether anybody has a part in the lock at `path`. Never creates the file.
    pub(crate) fn is_held(path: &Path) -> Result<bool> {
        match existing(path)? {
            Some(file) => Ok(!granted(file.try_lock(), path)?),
            None => Ok(false),
        }
    }
}

/// The file at `path`, made where it is missing, with a lock on it; `None` when `lock` does not get it.
fn lock_at(
    path: &Path,
    lock: impl Fn(&File) -> std::result::Result<(), TryLockError>,
) -> Result<Option<LockDescriptor>> {
    loop {
        let file = create(path)?;
        if !granted(lock(&file), path)? {
            return Ok(None);
        }
        // Its last holder may have removed the file between opening and locking; then another file has this name.
        if is_there(&file, path)? {
            return Ok(Some(file));
        }
    }
}

/// Gives a lock up for one of the other kind; whether that was got. In between others may have it: not every system turns one kind into
/// the other.
fn exchange(
    file: &File,
    path: &Path,
    lock: impl Fn(&File) -> std::result::Result<(), TryLockError>,
) -> Result<bool> {
    file.unlock().map_err(|error| StorageError::io("unlock a file", path, error))?;
    Ok(granted(lock(file), path)? && is_there(file, path)?)
}

/// Whether the open file is the one at `path`, and was not removed or replaced.
fn is_there(file: &File, path: &Path) -> Result<bool> {
    platform::is_file_at(file, path).map_err(|error| StorageError::io("check a lock file", path, error))
}

/// Opens a lock file, made where it is missing.
fn create(path: &Path) -> Result<LockDescriptor> {
    let mut options = OpenOptions::new();
    options.read(true).write(true).create(true).truncate(false);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    LockDescriptor::open(|| options.open(path))
        .map_err(|error| StorageError::io("open a lock file", path, error))
}

fn existing(path: &Path) -> Result<Option<LockDescriptor>> {
    open(path, OpenOptions::new().read(true))
}

fn open(path: &Path, options: &OpenOptions) -> Result<Option<LockDescriptor>> {
    match LockDescriptor::open(|| options.open(path)) {
        Ok(file) => Ok(Some(file)),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(StorageError::io("open a lock file", path, error)),
    }
}

/// Whether the lock was got.
fn granted(outcome: std::result::Result<(), TryLockError>, path: &Path) -> Result<bool> {
    match outcome {
        Ok(()) => Ok(true),
        Err(TryLockError::WouldBlock) => Ok(false),
        Err(TryLockError::Error(error)) => Err(StorageError::io("lock a file", path, error)),
    }
}
