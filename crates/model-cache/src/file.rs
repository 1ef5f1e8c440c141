//! Files as the public calls describe them.

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
    pub(crate) fn listed(file: &ManifestFile, stored: bool) -> Result<Self> {
        Ok(Self {
            path: file.path.clone(),
            size: file.size,
            digest: file.digest()?,
            role: file.role.clone(),
            stored,
        })
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
