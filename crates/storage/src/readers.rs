//! The live readers of a store: one per blob and process, and the state of C they pin.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Weak};

use crate::digest::{BlobName, Incarnation};
use crate::error::Result;
use crate::mutex::Mutex;
use crate::pin::PinnedChunks;
use crate::process::Process;
use crate::reader::BlobReader;
use crate::snapshot::Snapshot;
use crate::store::Store;
use crate::upkeep::Signal;

/// What identifies a reader: a blob reserved again under its name is another one.
type Identity = (BlobName, Incarnation);

/// The readers of one store in this process.
#[derive(Default)]
pub(crate) struct Readers {
    live: Mutex<HashMap<Identity, Weak<BlobReader>>>,
    /// The newest pinned state.
    head: Mutex<Weak<Snapshot>>,
    views: AtomicU64,
    process: Process,
    pub(crate) signal: Arc<Signal>,
}

impl Readers {
    /// The live reader of this incarnation of the blob.
    pub(crate) fn get(&self, name: &BlobName, incarnation: Incarnation) -> Option<Arc<BlobReader>> {
        self.live.lock().get(&(*name, incarnation)).and_then(Weak::upgrade)
    }

    /// Makes `reader` the one of its blob, unless another thread was first: then that one is returned.
    pub(crate) fn insert(&self, incarnation: Incarnation, reader: Arc<BlobReader>) -> Arc<BlobReader> {
        let mut live = self.live.lock();
        live.retain(|_, reader| reader.strong_count() > 0);
        let slot = live.entry((*reader.name(), incarnation)).or_default();
        if let Some(first) = slot.upgrade() {
            return first;
        }
        *slot = Arc::downgrade(&reader);
        reader
    }

    /// All live readers.
    pub(crate) fn all(&self) -> Vec<Arc<BlobReader>> {
        self.live.lock().values().filter_map(Weak::upgrade).collect()
    }

    /// Finds all chunks of `incarnation` in the newest state of C and pins it; `None` when one is missing. Readers opened at the same
    /// state share one pin; none joins another one. Nothing is looked up in a shared pin: libmdbx refuses everything in a
    /// transaction that has met a damaged page.
    pub(crate) fn find(
        &self,
        store: &Store,
        incarnation: Incarnation,
        size: u64,
    ) -> Result<Option<PinnedChunks>> {
        let fresh = store.snapshot()?;
        let Some(runs) = fresh.runs(&incarnation, size)? else { return Ok(None) };
        Ok(Some(PinnedChunks::new(incarnation, size, runs, self.share(fresh))))
    }

    fn share(&self, fresh: Snapshot) -> Arc<Snapshot> {
        let mut head = self.head.lock();
        match head.upgrade() {
            Some(shared) if shared.id() == fresh.id() => shared,
            // Another thread was quicker, and has seen a newer state.
            Some(shared) if shared.id() > fresh.id() => Arc::new(fresh),
            _ => {
                let fresh = Arc::new(fresh);
                *head = Arc::downgrade(&fresh);
                fresh
            }
        }
    }

    pub(crate) fn view_begins(&self) {
        self.views.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn view_ends(&self) {
        self.views.fetch_sub(1, Ordering::Relaxed);
    }

    /// Live views of this process.
    pub(crate) fn views(&self) -> u64 {
        self.views.load(Ordering::Relaxed)
    }
}

impl Drop for Readers {
    fn drop(&mut self) {
        // A fork child has no thread to stop, and may have a lock that another thread of its parent held.
        if self.process.is_current() {
            self.signal.stop();
        }
    }
}
