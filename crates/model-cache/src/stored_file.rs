//! Which stored files have which bytes.

use std::collections::HashMap;
use std::ops::ControlFlow;

use tabagent_storage::{BlobName, FileMetadata, Files, Key, Manifests, ReadTransaction, RepoScope};

use crate::error::Result;
use crate::inner::Inner;
use crate::lookup::Lookup;
use crate::required::nothing_stored;

/// One stored file of one commit.
#[derive(Clone, Debug)]
pub(crate) struct StoredFile {
    pub(crate) scope: RepoScope,
    pub(crate) file: FileMetadata,
}

/// Stored files and their distinct blobs, both in the order of the files.
#[derive(Default)]
pub(crate) struct StoredFiles {
    pub(crate) files: Vec<StoredFile>,
    pub(crate) blobs: Vec<StoredBlob>,
}

/// Bytes that some files share.
pub(crate) struct StoredBlob {
    pub(crate) name: BlobName,
    pub(crate) size: u64,
    /// Places of the files that have them; never empty.
    pub(crate) files: Vec<usize>,
}

impl StoredFiles {
    /// Those of a repository at this endpoint, or all of all endpoints, as far as their records can be read.
    pub(crate) fn read(inner: &Inner, repo: Option<&str>) -> Result<Self> {
        inner.read(|txn| {
            let mut files = Vec::new();
            for prefix in prefixes(inner, txn, repo)? {
                // What a damaged record says is not known: see `Store::damaged_records`.
                txn.rows::<Files>(&prefix, |key, file| {
                    let found = RepoScope::in_key(key).zip(file.ok());
                    files.extend(found.map(|(scope, file)| StoredFile { scope, file }));
                    Ok(ControlFlow::Continue(()))
                })?;
            }
            Ok(Self::of(files))
        })
    }

    fn of(files: Vec<StoredFile>) -> Self {
        let mut places: HashMap<BlobName, usize> = HashMap::new();
        let mut blobs: Vec<StoredBlob> = Vec::new();
        for (place, StoredFile { file, .. }) in files.iter().enumerate() {
            let name = file.blob_name();
            let at = *places.entry(name).or_insert(blobs.len());
            match blobs.get_mut(at) {
                Some(blob) => blob.files.push(place),
                None => blobs.push(StoredBlob { name, size: file.size, files: vec![place] }),
            }
        }
        Self { files, blobs }
    }

    /// Bytes of the blobs.
    pub(crate) fn bytes(&self) -> u64 {
        self.blobs.iter().map(|blob| blob.size).sum()
    }

    /// The files that have a blob.
    pub(crate) fn files_of<'a>(&'a self, blob: &'a StoredBlob) -> impl Iterator<Item = &'a StoredFile> {
        blob.files.iter().filter_map(|place| self.files.get(*place))
    }
}

fn prefixes(inner: &Inner, txn: &ReadTransaction<'_>, repo: Option<&str>) -> Result<Vec<Key>> {
    let Some(repo) = repo else { return Ok(vec![Key::all_files()]) };
    let endpoint = &inner.endpoint;
    let names = Lookup { txn, endpoint }.names(repo)?;
    let mut known = false;
    for name in &names {
        txn.keys::<Manifests>(&Key::manifests(endpoint, name), |_| {
            known = true;
            Ok(())
        })?;
    }
    if !known {
        return Err(nothing_stored(repo, "any revision"));
    }
    Ok(names.iter().map(|name| Key::repo_files(endpoint, name)).collect())
}
