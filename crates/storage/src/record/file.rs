//! One stored file of one commit.

use rkyv::{Archive, Deserialize, Serialize};

use super::record;
use crate::digest::{BlobName, Digest};

/// Says which blob holds a file of a commit. It exists only while the blob is complete.
#[derive(Archive, Serialize, Deserialize, Clone, Debug, PartialEq, Eq)]
pub struct FileMetadata {
    /// Path in the repository, as listed.
    pub path: String,
    /// sha256 of the bytes: the blob's name.
    pub blob: [u8; 32],
    /// Size in bytes.
    pub size: u64,
    /// The git sha1 the listing gave, for files that had no sha256 there.
    pub git_sha1: Option<[u8; 20]>,
    /// When it was stored, milliseconds since 1970.
    pub stored_at_ms: u64,
}
record!(FileMetadata, 1);

impl FileMetadata {
    /// Name of the blob.
    #[must_use]
    pub fn blob_name(&self) -> BlobName {
        BlobName(self.blob)
    }

    /// The digest as the listing gave it.
    #[must_use]
    pub fn digest(&self) -> Digest {
        match self.git_sha1 {
            Some(sha1) => Digest::GitSha1(sha1),
            None => Digest::Sha256(self.blob),
        }
    }
}
