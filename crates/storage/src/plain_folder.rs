//! The folder of the plain files that processes share, and the locks that say who needs what there.
//!
//! ```text
//! plain/blobs/{sha256}        the bytes of a blob, whole
//! plain/blobs/{sha256}.tmp    in the making, where a file needs a name for that
//! plain/sets/{set}/...        files under their listed paths: more names of those in blobs
//! plain/sets/{set}.kept       says that the set outlives those who hold it
//! plain/sets/{set}.*.tmp/     in the making, or on its way out
//! locks/plain-{set}           shared by those who hold or make the set; exclusive to remove it
//! locks/plain-{sha256}        exclusive to make the blob's file, to give it another name or to remove it
//! ```
//!
//! A file of `blobs` that has no other name is nobody's, as long as its lock is free.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use crate::digest::{BlobName, Incarnation};
use crate::error::{Result, StorageError};
use crate::lock_file::{LockFile, SharedLock};
use crate::platform;

/// What the lock files begin with.
const LOCK: &str = "plain-";

/// Ends the name of what is not whole.
const TEMPORARY: &str = ".tmp";

/// Ends the name of a set's mark.
const KEPT: &str = ".kept";

/// Name of a set: 128 bits of a digest of what is in it, as hexadecimal digits.
pub(crate) type SetName = String;

/// Where plain files are, and their locks.
#[derive(Clone, Debug)]
pub(crate) struct PlainFolder {
    plain: PathBuf,
    locks: PathBuf,
}

/// The lock of a blob's file. Dropping it gives it up.
pub(crate) struct BlobLock(LockFile);

impl Drop for BlobLock {
    fn drop(&mut self) {
        self.0.remove();
    }
}

impl PlainFolder {
    /// That of the store at `root`, whose lock files are in `locks`. Nothing is made.
    pub(crate) fn new(root: &Path, locks: &Path) -> Self {
        Self { plain: root.join("plain"), locks: locks.to_owned() }
    }

    /// Makes the folders.
    pub(crate) fn create(&self) -> Result<()> {
        for folder in [&self.plain, &self.blobs(), &self.sets()] {
            crate::store::create_private(folder)?;
        }
        Ok(())
    }

    /// Folder of the blobs' files.
    pub(crate) fn blobs(&self) -> PathBuf {
        self.plain.join("blobs")
    }

    /// Where the file of a blob is.
    pub(crate) fn blob(&self, blob: &BlobName) -> PathBuf {
        self.blobs().join(blob.to_hex())
    }

    /// Folder of the sets.
    pub(crate) fn sets(&self) -> PathBuf {
        self.plain.join("sets")
    }

    /// Where a set is.
    pub(crate) fn set(&self, set: &str) -> PathBuf {
        self.sets().join(set)
    }

    /// A name for a set in the making, like no other's.
    pub(crate) fn temporary_set(&self, set: &str) -> Result<PathBuf> {
        Ok(self.sets().join(format!("{set}.{}{TEMPORARY}", Incarnation::random()?.to_hex())))
    }

    /// Lock of a set.
    pub(crate) fn set_lock(&self, set: &str) -> PathBuf {
        self.locks.join(format!("{LOCK}{set}"))
    }

    fn blob_lock(&self, blob: &BlobName) -> PathBuf {
        self.locks.join(format!("{LOCK}{}", blob.to_hex()))
    }

    /// Takes the lock of a blob's file; `None` when someone else makes or removes it.
    pub(crate) fn lock_blob(&self, blob: &BlobName) -> Result<Option<BlobLock>> {
        Ok(LockFile::take_once(&self.blob_lock(blob))?.map(BlobLock))
    }

    /// Name of a blob's file in the making, in the folder of the blobs.
    pub(crate) fn temporary_blob(blob: &BlobName) -> String {
        format!("{}{TEMPORARY}", blob.to_hex())
    }

    fn mark(&self, set: &str) -> PathBuf {
        self.sets().join(format!("{set}{KEPT}"))
    }

    /// Whether a set outlives those who hold it.
    pub(crate) fn is_kept(&self, set: &str) -> bool {
        self.mark(set).exists()
    }

    /// Makes a set outlive those who hold it.
    pub(crate) fn keep(&self, set: &str) -> Result<()> {
        let path = self.mark(set);
        fs::write(&path, "").map_err(|error| StorageError::io("write the file", &path, error))
    }

    /// Ends what [`keep`](Self::keep) began.
    pub(crate) fn unkeep(&self, set: &str) -> Result<()> {
        remove_file(&self.mark(set))
    }

    /// Names of all sets: those there are, in part too, and those that only a lock tells of.
    pub(crate) fn set_names(&self) -> Result<Vec<SetName>> {
        self.names(&self.sets(), 32)
    }

    /// Names of all blobs with a file, in part too, or a lock.
    pub(crate) fn blob_names(&self) -> Result<Vec<BlobName>> {
        let names = self.names(&self.blobs(), 64)?;
        Ok(names.iter().filter_map(|name| BlobName::from_hex(name)).collect())
    }

    fn names(&self, folder: &Path, digits: usize) -> Result<Vec<String>> {
        let (here, locks) = (list(folder)?, list(&self.locks)?);
        let here = here.iter().map(|file| file.split('.').next().unwrap_or(file));
        let locks = locks.iter().filter_map(|file| file.strip_prefix(LOCK));
        let is_name = |name: &&str| name.len() == digits && name.bytes().all(|byte| byte.is_ascii_hexdigit());
        let mut names: Vec<String> = here.chain(locks).filter(is_name).map(str::to_owned).collect();
        names.sort_unstable();
        names.dedup();
        Ok(names)
    }

    /// Whether nobody holds a set.
    pub(crate) fn is_idle(&self, set: &str) -> Result<bool> {
        Ok(!SharedLock::is_held(&self.set_lock(set))?)
    }

    /// Removes a set, unless someone holds it or it is kept. The rest of a removal that was broken off goes with the next one.
    pub(crate) fn remove_set(&self, set: &str) -> Result<()> {
        // A kept set that nobody holds has no lock file: it is left alone.
        if self.is_kept(set) && !self.set_lock(set).exists() {
            return Ok(());
        }
        match LockFile::take_once(&self.set_lock(set))? {
            Some(lock) => self.remove_locked(set, &lock),
            None => Ok(()),
        }
    }

    /// As [`remove_set`](Self::remove_set), for who has the lock, which is given up.
    pub(crate) fn remove_locked(&self, set: &str, lock: &LockFile) -> Result<()> {
        let outcome = self.remove_files(set);
        lock.remove();
        outcome
    }

    fn remove_files(&self, set: &str) -> Result<()> {
        if !self.is_kept(set) && self.set(set).exists() {
            // It must not be seen in part.
            let temporary = self.temporary_set(set)?;
            settle("remove the folder", &self.set(set), fs::rename(self.set(set), &temporary))?;
        }
        for name in list(&self.sets())? {
            if name.starts_with(set) && name.ends_with(TEMPORARY) {
                let path = self.sets().join(name);
                settle("remove the folder", &path, fs::remove_dir_all(&path))?;
            }
        }
        Ok(())
    }

    /// Removes the file of a blob that no set has, and what is there of it in part, unless someone is making it.
    pub(crate) fn remove_blob(&self, blob: &BlobName) -> Result<()> {
        let Some(_lock) = self.lock_blob(blob)? else { return Ok(()) };
        self.remove_part(blob)?;
        let path = self.blob(blob);
        match platform::identity_at(&path) {
            Ok(found) if found.names == 1 => remove_file(&path),
            _ => Ok(()),
        }
    }

    /// Takes the name of a blob from its file: who makes a set from now on makes another file.
    pub(crate) fn forget_blob(&self, blob: &BlobName) -> Result<()> {
        let Some(_lock) = self.lock_blob(blob)? else { return Ok(()) };
        remove_file(&self.blob(blob))
    }

    /// Removes what is there of a blob's file in part. For who has its lock.
    pub(crate) fn remove_part(&self, blob: &BlobName) -> Result<()> {
        remove_file(&self.blobs().join(Self::temporary_blob(blob)))
    }
}

fn remove_file(path: &Path) -> Result<()> {
    settle("remove the file", path, fs::remove_file(path))
}

/// The outcome of a removal: that nothing was there is no error.
fn settle(action: &'static str, path: &Path, outcome: io::Result<()>) -> Result<()> {
    match outcome {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(StorageError::io(action, path, error)),
        _ => Ok(()),
    }
}

/// Names of what is in a folder; none when it is not there.
pub(crate) fn list(folder: &Path) -> Result<Vec<String>> {
    let fail = |error| StorageError::io("list the folder", folder, error);
    let entries = match fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(fail(error)),
    };
    let mut names = Vec::new();
    for entry in entries {
        names.extend(entry.map_err(fail)?.file_name().into_string().ok());
    }
    Ok(names)
}
