//! What headers told of files that no listing has any more. While one listing of the endpoint has the file, its quant keeps the name
//! that this gives.

use std::collections::HashSet;
use std::ops::ControlFlow;

use crate::error::Result;
use crate::key::Key;
use crate::record::ManifestRecord;
use crate::scope::EndpointId;
use crate::store::Store;
use crate::table::{Headers, Imports, Manifests};
use crate::transaction::{RECORDS_AT_ONCE, ReadTransaction, WriteTransaction};

/// Records of headers of which no listing has the file.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct UnusedHeaders {
    keys: HashSet<Key>,
    /// Keys of the listings that were read. Others came since.
    read: HashSet<Key>,
}

impl Store {
    /// Removes what is known of the headers of files in listings that are gone, as far as no other listing of the endpoint has them.
    ///
    /// # Errors
    /// [`crate::StorageError::ReadOnly`], [`crate::StorageError::Database`]. What is left then is an orphan.
    pub fn remove_headers_of(&self, gone: &[ManifestRecord]) -> Result<()> {
        let unused = self.read(|t| {
            let mut keys = all(t)?;
            if !keys.is_empty() {
                let theirs: HashSet<Key> = gone.iter().flat_map(headers_of).collect();
                keys.retain(|key| theirs.contains(key));
            }
            UnusedHeaders::among(t, keys)
        })?;
        self.remove_unused_headers(&unused)
    }

    /// Removes what was found, as far as still no listing has the files.
    pub(crate) fn remove_unused_headers(&self, unused: &UnusedHeaders) -> Result<()> {
        let keys: Vec<Key> = unused.keys.iter().cloned().collect();
        for keys in keys.chunks(RECORDS_AT_ONCE) {
            let some = UnusedHeaders { keys: keys.iter().cloned().collect(), read: HashSet::new() };
            self.write(|t| some.clone().remove(t, &unused.read))?;
        }
        Ok(())
    }
}

impl UnusedHeaders {
    /// All there are.
    pub(crate) fn find(t: &ReadTransaction<'_>) -> Result<Self> {
        Self::among(t, all(t)?)
    }

    pub(crate) fn count(&self) -> usize {
        self.keys.len()
    }

    /// A listing that is damaged may have any file. One that was imported may get others under its key: that is read again.
    fn among(t: &ReadTransaction<'_>, keys: HashSet<Key>) -> Result<Self> {
        let mut unused = Self { keys, read: HashSet::new() };
        if unused.keys.is_empty() {
            return Ok(unused);
        }
        t.rows::<Manifests>(&Key::all_manifests(), |key, listing| {
            let Ok(listing) = listing else {
                unused.keys.clear();
                return Ok(ControlFlow::Break(()));
            };
            unused.leave(&listing);
            if !t.contains::<Imports>(&Key::import(&listing.scope()))? {
                unused.read.insert(Key::stored(key));
            }
            let is_done = unused.keys.is_empty();
            Ok(if is_done { ControlFlow::Break(()) } else { ControlFlow::Continue(()) })
        })?;
        Ok(if unused.keys.is_empty() { Self::default() } else { unused })
    }

    /// Leaves out the files of a listing.
    fn leave(&mut self, listing: &ManifestRecord) {
        for key in headers_of(listing) {
            self.keys.remove(&key);
        }
    }

    /// Removes them, but for those of listings that came since the others were read.
    fn remove(mut self, t: &WriteTransaction<'_>, read: &HashSet<Key>) -> Result<()> {
        let mut new = Vec::new();
        t.keys::<Manifests>(&Key::all_manifests(), |key| {
            let key = Key::stored(key);
            if !read.contains(&key) {
                new.push(key);
            }
        })?;
        for key in new {
            if let Some(listing) = t.get::<Manifests>(&key)? {
                self.leave(&listing);
            }
        }
        self.keys.iter().try_for_each(|key| t.delete::<Headers>(key).map(drop))
    }
}

fn all(t: &ReadTransaction<'_>) -> Result<HashSet<Key>> {
    let mut keys = HashSet::new();
    t.keys::<Headers>(&Key::all_headers(), |key| {
        keys.insert(Key::stored(key));
        Ok(())
    })?;
    Ok(keys)
}

fn headers_of(listing: &ManifestRecord) -> impl Iterator<Item = Key> + '_ {
    let endpoint = EndpointId::of(&listing.endpoint);
    let digests = listing.files.iter().filter_map(|file| file.digest().ok());
    digests.map(move |digest| Key::header(&endpoint, &digest.blob_name()))
}
