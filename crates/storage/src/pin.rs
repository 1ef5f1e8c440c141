//! The chunks of one blob and the pin that keeps their pages from being reused.

use std::ops::Range;
use std::sync::Arc;

use crate::digest::Incarnation;
use crate::error::Result;
use crate::extent;
use crate::mutex::Mutex;
use crate::platform::Piece;
use crate::raw::PageRun;
use crate::snapshot::Snapshot;

/// Chunks of a blob, found in a pinned state of C.
pub(crate) struct PinnedChunks {
    incarnation: Incarnation,
    size: u64,
    runs: Vec<PageRun>,
    pin: Mutex<Arc<Snapshot>>,
}

impl PinnedChunks {
    /// Finds all chunks of `incarnation`; `None` when one is missing.
    pub(crate) fn find(pin: Arc<Snapshot>, incarnation: Incarnation, size: u64) -> Result<Option<Self>> {
        let runs = pin.runs(&incarnation, size)?;
        Ok(runs.map(|runs| Self::new(incarnation, size, runs, pin)))
    }

    /// The chunks of `incarnation`, which were found in a state that `pin` pins.
    pub(crate) fn new(incarnation: Incarnation, size: u64, runs: Vec<PageRun>, pin: Arc<Snapshot>) -> Self {
        Self { incarnation, size, runs, pin: Mutex::new(pin) }
    }

    /// The pieces of the data file that hold `range`.
    pub(crate) fn pieces(&self, range: Range<u64>) -> Vec<Piece> {
        extent::pieces(&self.runs, self.size, range)
    }

    /// The page runs of all chunks, in order.
    pub(crate) fn runs(&self) -> &[PageRun] {
        &self.runs
    }

    /// The state that is pinned now.
    #[cfg(test)]
    pub(crate) fn pin(&self) -> Arc<Snapshot> {
        Arc::clone(&self.pin.lock())
    }

    /// Moves the pin to `fresh` if all chunks are there, in the same pages; true when it was moved. The chunks of a deleted blob
    /// are not: it keeps its pin, which is all that protects its pages.
    pub(crate) fn refresh(&self, fresh: &Arc<Snapshot>) -> Result<bool> {
        if self.pin.lock().id() >= fresh.id() {
            return Ok(false);
        }
        if fresh.runs(&self.incarnation, self.size)?.as_ref() != Some(&self.runs) {
            return Ok(false);
        }
        let old = std::mem::replace(&mut *self.pin.lock(), Arc::clone(fresh));
        drop(old);
        Ok(true)
    }
}
