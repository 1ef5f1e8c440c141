//! What the folder of the lock files tells: which reservations are protected, and what dead processes left.

use std::collections::HashSet;
use std::fs;
use std::io::ErrorKind;
use std::path::PathBuf;

use crate::digest::{BlobName, Incarnation};
use crate::error::Result;
use crate::journal::{self, journal_of};
use crate::lease::{ANNOUNCEMENT, noted_incarnation};
use crate::lock_file::LockFile;
use crate::store::Store;
use crate::stub::StubName;

/// A file that its process left behind.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum StaleFile {
    /// Of a lease or an announcement that nobody holds.
    Lock(PathBuf),
    /// What was written of a blob of which nothing is here any more.
    Journal(BlobName),
    /// Of a stub that nobody uses, with its files beside the data file.
    Stub(StubName),
}

impl Store {
    /// The reservations that live leases protect. A reservation's note is written before it is in C, and its lease lasts until it
    /// is in M: so whoever first lists C, then these, then M, misses none. `None` where the system lets nobody read the note of a
    /// live lease (Windows).
    pub(crate) fn protected_reservations(&self) -> Result<Option<HashSet<Incarnation>>> {
        let mut out = HashSet::new();
        for file in self.lock_files()?.iter().filter(|file| is_lease(file)) {
            let path = self.locks().join(file);
            if !LockFile::is_held(&path)? {
                continue;
            }
            match fs::read_to_string(&path) {
                Ok(note) => out.extend(noted_incarnation(&note)),
                // Its holder has just ended.
                Err(error) if error.kind() == ErrorKind::NotFound => {}
                Err(_) => return Ok(None),
            }
        }
        Ok(Some(out))
    }

    /// The files that nobody needs: locks nobody holds, and journals of blobs that are not among `partial`.
    pub(crate) fn stale_files(&self, partial: &HashSet<BlobName>) -> Result<Vec<StaleFile>> {
        let mut out = Vec::new();
        for file in self.lock_files()? {
            if let Some(name) = journal_of(&file) {
                if !partial.contains(&name) && !self.is_leased(&name)? {
                    out.push(StaleFile::Journal(name));
                }
            } else if is_lease(&file) || file.starts_with(ANNOUNCEMENT) {
                let path = self.locks().join(file);
                if !LockFile::is_held(&path)? {
                    out.push(StaleFile::Lock(path));
                }
            }
        }
        if !self.is_read_only() {
            out.extend(self.stale_stubs()?.into_iter().map(StaleFile::Stub));
        }
        Ok(out)
    }

    /// Removes those of the files that nobody needs now either.
    pub(crate) fn remove_stale_files(&self, files: &[StaleFile]) -> Result<()> {
        for file in files {
            match file {
                StaleFile::Lock(path) => LockFile::sweep(path)?,
                StaleFile::Stub(name) => self.remove_stub(name)?,
                StaleFile::Journal(name) => {
                    // Whoever has the lease may have begun the blob anew.
                    if let Some(lease) = self.try_lease(name)?
                        && self.blob(name)?.is_none_or(|blob| blob.complete)
                    {
                        journal::remove(&self.journal_path(lease.name()));
                    }
                }
            }
        }
        Ok(())
    }
}

/// The file of a lease is called as its blob.
fn is_lease(file: &str) -> bool {
    file.len() == 64 && file.bytes().all(|byte| byte.is_ascii_hexdigit())
}
