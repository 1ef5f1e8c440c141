//! Writes a blob in place: any range, in any order, from any thread, resumed where an earlier writer stopped.

mod start;

use std::fs::File;
use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;

use bytes::Bytes;

use crate::digest::{BlobName, Digest};
use crate::error::{Result, StorageError};
use crate::hasher::Hasher;
use crate::journal::Journal;
use crate::lease::Lease;
use crate::ledger::Ledger;
use crate::mutex::Mutex;
use crate::placement::Placement;
use crate::store::Store;

/// Writes one blob. Clones share everything. Dropping the last one waits until what was written is recorded (the time of one
/// sync), then frees the lease; so a blocking write whose caller was cancelled stays safe: it holds a clone until it has returned.
#[derive(Clone, Debug)]
pub struct BlobWriter {
    pub(crate) inner: Arc<Inner>,
}

pub(crate) struct Inner {
    /// `None` when the blob was complete before: then there is nothing to write.
    pub(crate) work: Option<Work>,
    pub(crate) expected: Digest,
    size: u64,
    resumed_from: u64,
    /// What is missing at the end needs no room until somebody goes on.
    pub(crate) yields_room: AtomicBool,
    // Field order is load-bearing: the lease is freed last but for the store, whose environments everything above needs.
    lease: Lease,
    pub(crate) store: Arc<Store>,
}

/// What is shared with the threads that hash and sync.
pub(crate) struct Work {
    pub(crate) ledger: Arc<Ledger>,
    pub(crate) placement: Arc<Placement>,
    pub(crate) journal: Arc<Journal>,
    pub(crate) hasher: Arc<Hasher>,
    hashing: Mutex<Option<JoinHandle<()>>>,
}

impl std::fmt::Debug for Inner {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("BlobWriter")
            .field("name", self.lease.name())
            .field("size", &self.size)
            .finish_non_exhaustive()
    }
}

impl BlobWriter {
    /// Name under which the blob is written: its sha256, or the provisional name.
    #[must_use]
    pub fn name(&self) -> &BlobName {
        self.inner.lease.name()
    }

    /// Whole size in bytes.
    #[must_use]
    pub fn size(&self) -> u64 {
        self.inner.size
    }

    /// The ranges not written yet, sorted and disjoint. A block that turns out to be damaged on disk is among them again.
    #[must_use]
    pub fn missing(&self) -> Vec<Range<u64>> {
        self.inner.work.as_ref().map_or_else(Vec::new, |work| work.ledger.missing())
    }

    /// Bytes that were there when the writer began.
    #[must_use]
    pub fn resumed_from(&self) -> u64 {
        self.inner.resumed_from
    }

    /// Bytes that are there now, those of earlier writers included.
    #[must_use]
    pub fn written(&self) -> u64 {
        self.inner.work.as_ref().map_or(self.inner.size, |work| work.ledger.covered())
    }

    /// Writes `bytes` at `offset`; blocks while the store has 128 MiB that are not durable. The later of two writes of the same
    /// bytes wins; two at once leave those bytes missing.
    ///
    /// # Errors
    /// [`StorageError::InvalidArgument`] beyond the end or once `finish` runs; [`StorageError::NoSpace`];
    /// [`StorageError::Io`], also when an earlier sync of this store failed.
    pub fn write(&self, offset: u64, bytes: &[u8]) -> Result<()> {
        self.admitted(offset, bytes.len(), |hasher| hasher.write(offset, bytes))
    }

    /// As [`BlobWriter::write`], for bytes from a source that goes on meanwhile (a network connection): this call never hashes, so
    /// that its caller is soon back at the source. With `write` the caller has its bytes hashed sooner. A few MiB of `bytes` are
    /// kept until they are hashed.
    ///
    /// # Errors
    /// As there.
    pub fn write_received(&self, offset: u64, bytes: Bytes) -> Result<()> {
        self.admitted(offset, bytes.len(), |hasher| hasher.write_behind(offset, bytes))
    }

    /// Takes `bytes.len()` bytes at `offset` from the same place of `source` by sharing its disk blocks, and fills `bytes` with
    /// them. False, and nothing done, where the file system cannot: then read and [`BlobWriter::write`] them. Offset and length
    /// are multiples of 64 KiB.
    ///
    /// # Errors
    /// As [`BlobWriter::write`].
    pub fn share(&self, offset: u64, bytes: &mut [u8], source: &File) -> Result<bool> {
        self.admitted(offset, bytes.len(), |hasher| hasher.share(offset, bytes, source))
    }

    pub(crate) fn admitted<T>(
        &self,
        offset: u64,
        length: usize,
        write: impl FnOnce(&Hasher) -> Result<T>,
    ) -> Result<T> {
        let length = length as u64;
        if offset.checked_add(length).is_none_or(|end| end > self.inner.size) {
            return Err(refused(*self.name(), "the write reaches beyond its end"));
        }
        let Some(work) = &self.inner.work else {
            return Err(refused(*self.name(), "it is complete already"));
        };
        self.inner.store.check_process()?;
        let backlog = self.inner.store.syncer.backlog();
        backlog.admit(length)?;
        let outcome = write(&work.hasher);
        match &outcome {
            Ok(_) => backlog.landed(length, self.inner.size - work.ledger.covered()),
            Err(_) => backlog.failed(length),
        }
        self.inner.lease.show(|| work.ledger.covered());
        outcome
    }

    /// Returns once everything written before is durable and recorded.
    ///
    /// # Errors
    /// [`StorageError::NoSpace`], [`StorageError::Io`]; after an input/output error this store records nothing more until it is
    /// opened anew.
    pub fn checkpoint(&self) -> Result<()> {
        match &self.inner.work {
            Some(_) => {
                self.inner.store.check_process()?;
                self.inner.store.syncer.checkpoint()
            }
            None => Ok(()),
        }
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        let Some(work) = &self.work else { return };
        if self.store.check_process().is_err() {
            // A fork child has neither the threads nor the lease.
            return;
        }
        work.ledger.end_hashing();
        if let Some(hashing) = work.hashing.lock().take() {
            hashing.join().ok();
        }
        if work.ledger.unrecorded().is_none() || self.store.syncer.checkpoint().is_ok() {
            work.journal.remove();
        } else {
            // What cannot be recorded now is fetched again. The lease is freed only afterwards, so no later holder's record is
            // overwritten.
            self.store.syncer.retire(&work.ledger);
        }
        if self.yields_room.load(Ordering::Relaxed) {
            // It costs disk space, not correctness, where it fails.
            self.store.give_back_missing(&work.ledger, &work.placement).ok();
        }
    }
}

pub(crate) fn refused(name: BlobName, reason: &str) -> StorageError {
    StorageError::InvalidArgument { what: format!("blob {name}"), reason: reason.to_owned() }
}
