//! Files as the public calls describe them.

use std::sync::Arc;

use tabagent_storage::{Digest, FileMetadata, ManifestFile};

use crate::error::Result;

/// One file of a repository.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileInfo {
    /// Path as listed.
    pub path: String,
    /// Size in bytes.
    pub size: u64,
    /// Digest the listing gave.
    pub digest: Digest,
    /// Role, such as `weights`, `tokenizer` or `config`.
    pub role: String,
    /// Whether it is complete in the store, at this commit.
    pub stored: bool,
}

impl FileInfo {
    pub(crate) fn listed(file: ManifestFile, stored: bool) -> Result<Self> {
        Ok(Self { digest: file.digest()?, path: file.path, size: file.size, role: file.role, stored })
    }

    pub(crate) fn stored(file: &FileMetadata, role: &str) -> Self {
        Self {
            path: file.path.clone(),
            size: file.size,
            digest: file.digest(),
            role: role.to_owned(),
            stored: true,
        }
    }
}

/// Some files of a listing. All lists of one listing share its files.
#[derive(Clone, Debug)]
pub struct FileList {
    listing: Arc<[FileInfo]>,
    places: Vec<u32>,
}

impl FileList {
    /// Those at these places of the listing.
    pub(crate) fn new(listing: &Arc<[FileInfo]>, places: Vec<u32>) -> Self {
        Self { listing: Arc::clone(listing), places }
    }

    /// The files, in order.
    pub fn iter(&self) -> impl Iterator<Item = &FileInfo> {
        self.places.iter().filter_map(|place| self.listing.get(*place as usize))
    }

    /// Where they are in [`FileList::listing`].
    #[must_use]
    pub fn places(&self) -> &[u32] {
        &self.places
    }

    /// All files of the listing, these and others.
    #[must_use]
    pub fn listing(&self) -> &Arc<[FileInfo]> {
        &self.listing
    }

    /// The same places of another listing.
    pub(crate) fn of(self, listing: &Arc<[FileInfo]>) -> Self {
        Self::new(listing, self.places)
    }
}

impl PartialEq for FileList {
    fn eq(&self, other: &Self) -> bool {
        self.iter().eq(other.iter())
    }
}
