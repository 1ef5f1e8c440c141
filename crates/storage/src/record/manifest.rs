//! The listing of one commit, sorted into quants. Immutable: a commit never changes.

use rkyv::{Archive, Deserialize, Serialize};

use super::record;
use crate::digest::Digest;
use crate::scope::{EndpointId, RepoScope};

/// One file of a listing.
#[derive(Archive, Serialize, Deserialize, Clone, Debug, PartialEq, Eq)]
pub struct ManifestFile {
    /// Path as listed.
    pub path: String,
    /// Size in bytes.
    pub size: u64,
    /// The sha256 the listing gave, if any.
    pub sha256: Option<[u8; 32]>,
    /// The git sha1 the listing gave when it gave no sha256.
    pub git_sha1: Option<[u8; 20]>,
    /// Role of the file, such as `weights` or `tokenizer`.
    pub role: String,
}

impl ManifestFile {
    /// The digest the listing gave.
    ///
    /// # Errors
    /// [`crate::StorageError::Corrupt`] when the record has none.
    pub fn digest(&self) -> crate::Result<Digest> {
        match (self.sha256, self.git_sha1) {
            (Some(sha256), _) => Ok(Digest::Sha256(sha256)),
            (None, Some(sha1)) => Ok(Digest::GitSha1(sha1)),
            (None, None) => Err(crate::StorageError::corrupt("a manifest", "a file has no digest")),
        }
    }
}

/// One quantization variant of a listing.
#[derive(Archive, Serialize, Deserialize, Clone, Debug, PartialEq, Eq)]
pub struct ManifestQuant {
    /// Name, unique in the manifest ignoring case.
    pub name: String,
    /// Format, such as `onnx` or `gguf`.
    pub format: String,
    /// Indices into [`ManifestRecord::files`]: everything the quant needs.
    pub files: Vec<u32>,
}

/// What a scan found at one commit.
#[derive(Archive, Serialize, Deserialize, Clone, Debug, PartialEq, Eq)]
pub struct ManifestRecord {
    /// URL of the endpoint it came from.
    pub endpoint: String,
    /// Repository id as the API returned it.
    pub repo: String,
    /// Full commit hash.
    pub commit: String,
    /// Pipeline task, if the Hub names one.
    pub pipeline_task: Option<String>,
    /// Library, if the Hub names one.
    pub library_name: Option<String>,
    /// License, if the Hub names one.
    pub license: Option<String>,
    /// Tags.
    pub tags: Vec<String>,
    /// Whether access must be asked for.
    pub gated: bool,
    /// When the commit was scanned, milliseconds since 1970.
    pub scanned_at_ms: u64,
    /// All files of the commit.
    pub files: Vec<ManifestFile>,
    /// The quants.
    pub quants: Vec<ManifestQuant>,
    /// Indices of the files every quant needs.
    pub shared: Vec<u32>,
}
record!(ManifestRecord, 1);

impl ManifestRecord {
    /// Whose listing it is.
    #[must_use]
    pub fn scope(&self) -> RepoScope {
        let (repo, commit) = (self.repo.clone(), self.commit.clone());
        RepoScope { endpoint: EndpointId::of(&self.endpoint), repo, commit }
    }
}
