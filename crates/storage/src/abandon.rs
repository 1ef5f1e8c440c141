//! Forgets a partial blob.

use crate::digest::{BlobName, Incarnation};
use crate::error::Result;
use crate::journal;
use crate::key::Key;
use crate::lease::Lease;
use crate::record::{BlobRecord, BlobState};
use crate::store::Store;
use crate::table::Blobs;

impl Store {
    /// Forgets the partial blob of the lease and gives its chunks back; false when there is none. A complete blob stays.
    ///
    /// # Errors
    /// [`crate::StorageError::NoSpace`] when the disk is too full to change the store safely (the blob is forgotten, its chunks
    /// wait for the next prune); [`crate::StorageError::Io`].
    pub fn abandon(&self, lease: Lease) -> Result<bool> {
        let name = *lease.name();
        let record = self.read(|t| t.get::<Blobs>(&Key::blob(&name)))?;
        let partial = record.filter(|record| record.state == BlobState::Partial);
        if let Some(record) = &partial {
            self.forget(name, record)?;
        }
        drop(lease);
        Ok(partial.is_some())
    }

    /// Deletes a partial blob whose lease the caller holds: M, then C.
    pub(crate) fn forget(&self, name: BlobName, record: &BlobRecord) -> Result<()> {
        self.write(|t| t.delete::<Blobs>(&Key::blob(&name)))?;
        journal::remove(&self.journal_path(&name));
        self.unback_partial(record);
        self.release(&Incarnation(record.incarnation), record.size)
    }

    /// On a disk that is too full to delete its chunks otherwise, gives the room of a partial blob's bytes back before. For the holder
    /// of its lease, once M names it no more: nobody reads a partial blob. What fails here comes back with its chunks.
    pub(crate) fn unback_partial(&self, record: &BlobRecord) {
        if self.has_tree_room() {
            return;
        }
        let incarnation = Incarnation(record.incarnation);
        let runs = self.snapshot().and_then(|state| state.runs(&incarnation, record.size));
        for run in runs.ok().flatten().unwrap_or_default() {
            self.unback(run).ok();
        }
    }
}
