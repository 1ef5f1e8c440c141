//! What all processes are doing to a store at one moment, as their lock files tell it.

use std::collections::{BTreeMap, BTreeSet};

use crate::digest::BlobName;
use crate::error::Result;
use crate::lease::{ANNOUNCEMENT, announcement};
use crate::lock_file::LockFile;
use crate::store::Store;

/// Leases and announcements that were held at one moment. Two of them are equal when nothing moved between them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Activity {
    leases: BTreeMap<BlobName, Option<u64>>,
    announcements: BTreeSet<String>,
}

impl Activity {
    /// Whether someone announced `name`.
    #[must_use]
    pub fn announces(&self, name: &str) -> bool {
        self.announcements.contains(&announcement(name))
    }

    /// Whether anything is announced.
    #[must_use]
    pub fn announces_any(&self) -> bool {
        !self.announcements.is_empty()
    }

    /// Bytes of a blob that the holder of its lease has, durable or not; `None` when nobody holds it or the holder did not say.
    #[must_use]
    pub fn leased_bytes(&self, name: &BlobName) -> Option<u64> {
        self.leases.get(name).copied().flatten()
    }

    /// Whether the two have the same announcements.
    #[must_use]
    pub fn announces_like(&self, other: &Self) -> bool {
        self.announcements == other.announcements
    }

    /// The blobs whose lease or bytes differ between the two.
    pub fn moved<'a>(&'a self, other: &'a Self) -> impl Iterator<Item = &'a BlobName> {
        let differ = |name: &&BlobName| self.leases.get(*name) != other.leases.get(*name);
        let gone = other.leases.keys().filter(|name| !self.leases.contains_key(*name));
        self.leases.keys().filter(differ).chain(gone)
    }
}

impl Store {
    /// Who writes and announces what now. One look into a folder that is nearly always empty, and one at each file in it.
    ///
    /// # Errors
    /// [`crate::StorageError::Io`] when the lock files cannot be used.
    pub fn activity(&self) -> Result<Activity> {
        let mut activity = Activity::default();
        for file in self.lock_files()? {
            let path = self.locks().join(&file);
            if let Some(name) = BlobName::from_hex(&file) {
                if LockFile::is_held(&path)? {
                    activity.leases.insert(name, self.leased_bytes(&name));
                }
            } else if let Some((group, _)) = file.rsplit_once('-').filter(|_| file.starts_with(ANNOUNCEMENT))
                && LockFile::is_held_empty(&path)?
            {
                activity.announcements.insert(group.to_owned());
            }
        }
        Ok(activity)
    }
}
