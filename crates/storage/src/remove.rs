//! Removing blobs.

use std::collections::BTreeSet;
use std::ops::ControlFlow;

use crate::chunk::chunk_key;
use crate::digest::{BlobName, Incarnation};
use crate::error::{Result, StorageError};
use crate::journal;
use crate::key::Key;
use crate::layout::CHUNKS_PER_RESERVE;
use crate::lease::Lease;
use crate::raw;
use crate::record::{BlobRecord, BlobState};
use crate::reservation::chunks_of;
use crate::store::Store;
use crate::table::{Blobs, Inlines, Uses};
use crate::transaction::WriteTransaction;

/// Blobs removed under one set of leases: each lease is an open file.
const LEASES_AT_ONCE: usize = 64;

/// What a removal did.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Freed {
    /// Blobs removed.
    pub blobs: u64,
    /// Bytes given back to the disk.
    pub freed: u64,
    /// Bytes inside the store that hold nothing and still occupy disk, as [`crate::Usage::reusable`]: the space of blobs that
    /// someone still views is among them.
    pub reusable: u64,
    /// Blobs left alone because someone else holds their lease: they are being written or removed.
    pub busy: Vec<BlobName>,
}

impl Store {
    /// Removes the blobs among `names` that no file uses (no `use:` row, checked in the transaction that removes them), complete
    /// or partial, and gives their space back to the disk. Views of them stay right until they end; their space is given back
    /// by a later call.
    ///
    /// # Errors
    /// [`StorageError::ReadOnly`], [`StorageError::Database`], [`StorageError::Io`]. What was removed before stays removed.
    pub fn remove_blobs(&self, names: &[BlobName]) -> Result<Freed> {
        let names: Vec<BlobName> = names.iter().copied().collect::<BTreeSet<_>>().into_iter().collect();
        let mut freed = Freed::default();
        for names in names.chunks(LEASES_AT_ONCE) {
            let leases = self.lease_each(names, &mut freed.busy)?;
            let removed = self.remove_records(&leases)?;
            for lease in &leases {
                journal::remove(&self.journal_path(lease.name()));
            }
            freed.blobs += removed.len() as u64;
            let partial = removed.iter().filter(|(_, record)| record.state == BlobState::Partial);
            partial.for_each(|(_, record)| self.unback_partial(record));
            let chunks = removed.iter().flat_map(|(_, record)| chunks_of_blob(record));
            self.delete_chunks(&chunks.collect::<Vec<_>>())?;
            self.drop_plain_files(&removed.iter().map(|(name, _)| *name).collect::<Vec<_>>())?;
        }
        if freed.blobs > 0 {
            // The pins of this process's other readers would keep the space. A damaged one keeps its pin: that is for its own
            // user to hear.
            self.refresh_pins().ok();
            freed.freed = match self.release_space() {
                // Where pages are damaged nothing is given back: what they hide may be live. The blobs are removed all the same.
                Err(StorageError::Corrupt { .. }) => 0,
                released => released?,
            };
        }
        freed.reusable = self.reusable()?;
        Ok(freed)
    }

    fn lease_each(&self, names: &[BlobName], busy: &mut Vec<BlobName>) -> Result<Vec<Lease>> {
        let mut leases = Vec::with_capacity(names.len());
        for name in names {
            match self.try_lease(name)? {
                Some(lease) => leases.push(lease),
                None => busy.push(*name),
            }
        }
        Ok(leases)
    }

    /// M first: from here on nobody finds the blobs. Returns what they were.
    fn remove_records(&self, leases: &[Lease]) -> Result<Vec<(BlobName, BlobRecord)>> {
        self.write(|t| {
            let mut removed = Vec::new();
            for lease in leases {
                let name = lease.name();
                if is_used(t, name)? {
                    continue;
                }
                if let Some(record) = t.get::<Blobs>(&Key::blob(name))? {
                    t.delete::<Blobs>(&Key::blob(name))?;
                    t.delete::<Inlines>(&Key::inline(name))?;
                    removed.push((*name, record));
                }
            }
            Ok(removed)
        })
    }

    /// Then C, in short transactions. Chunks that are not there are no error.
    pub(crate) fn delete_chunks(&self, chunks: &[(Incarnation, u32)]) -> Result<()> {
        for some in chunks.chunks(CHUNKS_PER_RESERVE) {
            self.write_chunks(|t| {
                some.iter().try_for_each(|(incarnation, n)| {
                    raw::delete(t, self.chunks.table(), chunk_key(incarnation, *n).as_bytes()).map(|_| ())
                })
            })?;
        }
        Ok(())
    }
}

/// Whether a file uses the blob; a damaged record of a use counts as one.
pub(crate) fn is_used(t: &WriteTransaction<'_>, name: &BlobName) -> Result<bool> {
    let mut used = false;
    t.rows::<Uses>(&Key::usages(name), |_, _| {
        used = true;
        Ok(ControlFlow::Break(()))
    })?;
    Ok(used)
}

fn chunks_of_blob(record: &BlobRecord) -> impl Iterator<Item = (Incarnation, u32)> + use<> {
    let size = match record.state {
        BlobState::Inline => 0,
        BlobState::Partial | BlobState::Complete => record.size,
    };
    chunks_of(Incarnation(record.incarnation), size)
}
