//! The right to write or delete a blob: one holder in all processes, freed by the system when the holder dies.

use std::io::{Seek, SeekFrom, Write};
use std::path::PathBuf;
use std::time::{SystemTime, UNIX_EPOCH};

use sha2::{Digest as _, Sha256};

use crate::digest::{BlobName, Incarnation};
use crate::error::{Result, StorageError};
use crate::lock_file::{LockFile, LockMode};
use crate::store::Store;

/// The lease of one blob. Dropping it frees it.
#[derive(Debug)]
pub struct Lease {
    lock: LockFile,
    name: BlobName,
}

impl Lease {
    /// Whose lease it is.
    #[must_use]
    pub fn name(&self) -> &BlobName {
        &self.name
    }

    /// Leaves a note for people who look into the folder: process id, start of the lease, incarnation. Nothing reads it back.
    pub(crate) fn note(&self, incarnation: Option<&Incarnation>) {
        let started = now_ms();
        let incarnation = incarnation.map_or_else(|| "-".to_owned(), Incarnation::to_hex);
        let text = format!("pid {}\nstarted_ms {started}\nincarnation {incarnation}\n", std::process::id());
        let mut file = self.lock.file();
        // The lock counts, not the note.
        let written = file.set_len(0).and_then(|()| file.seek(SeekFrom::Start(0)));
        written.and_then(|_| file.write_all(text.as_bytes())).ok();
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        self.lock.remove();
    }
}

/// The sign that a download of several blobs is going on. Several processes may hold it at once.
#[derive(Debug)]
pub struct Presence {
    lock: LockFile,
}

impl Drop for Presence {
    fn drop(&mut self) {
        self.lock.remove_if_last();
    }
}

impl Store {
    /// Takes the lease of a blob; `None` when someone else, here or in another process, holds it (told after 100 ms, because a
    /// probe may hold the lock for an instant). Waiting is the caller's: ask again every 250 ms or so.
    ///
    /// # Errors
    /// [`StorageError::ReadOnly`], [`StorageError::Io`] when the lock file cannot be used.
    pub fn try_lease(&self, name: &BlobName) -> Result<Option<Lease>> {
        self.check_writable()?;
        let lock = LockFile::take(&self.lease_path(name), LockMode::Exclusive)?;
        Ok(lock.map(|lock| {
            let lease = Lease { lock, name: *name };
            lease.note(None);
            lease
        }))
    }

    /// Whether someone holds the lease of a blob now.
    ///
    /// # Errors
    /// [`StorageError::Io`] when the lock file cannot be used.
    pub fn is_leased(&self, name: &BlobName) -> Result<bool> {
        Ok(LockFile::probe(&self.lease_path(name), LockMode::Shared)? == Some(false))
    }

    /// Announces a download of several blobs under `name` (any text) until the result is dropped.
    ///
    /// # Errors
    /// [`StorageError::ReadOnly`], [`StorageError::Io`]; [`StorageError::InUse`] when a probe keeps the lock file for longer
    /// than 100 ms.
    pub fn hold_presence(&self, name: &str) -> Result<Presence> {
        self.check_writable()?;
        match LockFile::take(&self.presence_path(name), LockMode::Shared)? {
            Some(lock) => Ok(Presence { lock }),
            None => Err(StorageError::InUse {
                what: format!("the lock file of {name}"),
                reason: "another process looks at it; call again".to_owned(),
            }),
        }
    }

    /// Whether someone announces `name` now. Two callers that ask at the same instant may both hear yes about a name whose last
    /// holder was killed.
    ///
    /// # Errors
    /// [`StorageError::Io`] when the lock file cannot be used.
    pub fn is_present(&self, name: &str) -> Result<bool> {
        Ok(LockFile::probe(&self.presence_path(name), LockMode::Exclusive)? == Some(false))
    }

    fn lease_path(&self, name: &BlobName) -> PathBuf {
        self.locks().join(name.to_hex())
    }

    fn presence_path(&self, name: &str) -> PathBuf {
        self.locks().join(format!("quant-{}", hex::encode(Sha256::digest(name.as_bytes()))))
    }
}

/// Milliseconds since 1970.
pub(crate) fn now_ms() -> u64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, |since| u64::try_from(since.as_millis()).unwrap_or(u64::MAX))
}
