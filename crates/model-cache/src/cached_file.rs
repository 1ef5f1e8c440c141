//! A stored file, open.

use std::ops::{Deref, Range};
use std::sync::Arc;

use tabagent_storage::{BlobReader, Digest, Extent, INLINE_LIMIT, Mapping, StorageError};

use crate::error::{Error, Result};
use crate::inner::Inner;

/// How often a look-up begins again when the blob it found is removed before it is opened.
const ATTEMPTS: usize = 3;

/// A handle to a stored file. Clones and other handles of the same bytes share one mapping.
#[derive(Clone)]
pub struct CachedFile {
    repo: String,
    path: String,
    commit: String,
    digest: Digest,
    zero_copy: bool,
    reader: Arc<BlobReader>,
}

impl CachedFile {
    /// Opens a stored file: M record first, then the blob it names, again from the start when that is gone.
    pub(crate) fn open(inner: &Inner, repo: &str, path: &str, revision: &str) -> Result<Option<Self>> {
        for _ in 0..ATTEMPTS {
            let Some((scope, file)) = inner.file(repo, revision, path)? else { return Ok(None) };
            let reader = inner.store.reader(&file.blob_name());
            if let Some(reader) = reader.map_err(|error| named(repo, path, error))? {
                return Ok(Some(Self {
                    repo: scope.repo,
                    commit: scope.commit,
                    digest: file.digest(),
                    path: file.path,
                    zero_copy: inner.options.zero_copy,
                    reader,
                }));
            }
        }
        let reason = "its record names a blob that is not there".to_owned();
        Err(Error::Damaged { repo: repo.to_owned(), path: path.to_owned(), reason })
    }

    /// Repository id.
    #[must_use]
    pub fn repo(&self) -> &str {
        &self.repo
    }

    /// Path in the repository.
    #[must_use]
    pub fn path(&self) -> &str {
        &self.path
    }

    /// Commit the file belongs to.
    #[must_use]
    pub fn commit(&self) -> &str {
        &self.commit
    }

    /// Size in bytes.
    #[must_use]
    pub fn size(&self) -> u64 {
        self.reader.size()
    }

    /// Digest the listing gave.
    #[must_use]
    pub fn digest(&self) -> Digest {
        self.digest
    }

    /// Whether views of this handle are the store's own pages. Files under 64 KiB are always copied.
    #[must_use]
    pub fn zero_copy(&self) -> bool {
        self.zero_copy && self.size() >= INLINE_LIMIT
    }

    /// The blob below, for windows, copies and checks.
    #[must_use]
    pub fn reader(&self) -> &Arc<BlobReader> {
        &self.reader
    }

    /// The whole file as one contiguous piece of memory.
    ///
    /// # Errors
    /// `ERR_TOO_LARGE` past the mapping budget, `ERR_IO`, `ERR_CORRUPT`.
    pub fn map(&self) -> Result<Arc<Mapping>> {
        Ok(if self.zero_copy { self.reader.map()? } else { self.reader.load()? })
    }

    /// The whole file as a byte slice.
    ///
    /// # Errors
    /// As [`CachedFile::map`].
    pub fn view(&self) -> Result<FileView> {
        Ok(FileView { mapping: self.map()? })
    }

    /// Where the bytes lie on the disk; empty for a file under 64 KiB. Valid as long as this handle lives.
    #[must_use]
    pub fn extents(&self) -> Vec<Extent> {
        self.reader.extents()
    }

    /// Checks the CRC32C of every 4 MiB block that `range` touches and that no handle of the file in this process has checked
    /// before, on a few threads when they are many.
    ///
    /// # Errors
    /// `ERR_CORRUPT` names the file and the offset of its first damaged block.
    pub fn verify(&self, range: Range<u64>) -> Result<()> {
        self.reader.verify(range).map_err(|error| named(&self.repo, &self.path, error))
    }
}

/// Damage of a blob, said of the file that was asked for.
fn named(repo: &str, path: &str, error: StorageError) -> Error {
    match error {
        StorageError::Corrupt { reason, .. } => {
            Error::Damaged { repo: repo.to_owned(), path: path.to_owned(), reason }
        }
        other => other.into(),
    }
}

impl std::fmt::Debug for CachedFile {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("CachedFile")
            .field("repo", &self.repo)
            .field("path", &self.path)
            .field("commit", &self.commit)
            .field("size", &self.size())
            .finish_non_exhaustive()
    }
}

/// A file's bytes. The view stays right while the file is removed and its space reused.
#[derive(Clone)]
pub struct FileView {
    mapping: Arc<Mapping>,
}

impl Deref for FileView {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.mapping
    }
}

impl AsRef<[u8]> for FileView {
    fn as_ref(&self) -> &[u8] {
        self
    }
}

impl std::fmt::Debug for FileView {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("FileView").field("len", &self.len()).finish()
    }
}
