//! Checks many blobs on a few threads.

use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::digest::{BlobName, Incarnation};
use crate::error::{Result, StorageError};
use crate::inspection::{Found, Inspection};
use crate::mutex::Mutex;
use crate::store::Store;
use crate::workers::together;

/// What the check of one blob found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// The blob is not complete here (any more): there was nothing to check.
    Absent,
    /// Its record says that it is complete, and bytes of it are nowhere in the store.
    Lost {
        /// Bytes the record promises.
        size: u64,
        /// The reservation that is gone.
        incarnation: Incarnation,
    },
    /// Its record or the place of a chunk is damaged, so that no byte can be told from another.
    Unreadable {
        /// The reservation of its bytes; none when the record itself is damaged.
        incarnation: Option<Incarnation>,
        /// What does not fit.
        reason: String,
    },
    /// All its bytes were compared.
    Checked {
        /// Bytes of the blob.
        size: u64,
        /// Which of them are not those that were stored: sorted, neighbours joined, cut at 4 MiB blocks.
        damaged: Vec<Range<u64>>,
    },
}

/// Hears of a check while it goes on, from several threads at once.
pub trait CheckWatch: Sync {
    /// `bytes` more of the blob `index` were compared; false ends the check.
    fn checked(&self, index: usize, bytes: u64) -> bool;
}

impl Store {
    /// Compares every block of the blobs with its checksum, and blobs stored inline with their name, on a few threads. The verdicts
    /// are in the order of `names`; `None` for what was not checked to the end because `watch` ended the check.
    ///
    /// # Errors
    /// [`StorageError::Database`], [`StorageError::Io`] when the store itself cannot be read. Damage is no error.
    pub fn check_blobs(
        self: &Arc<Self>,
        names: &[BlobName],
        watch: &dyn CheckWatch,
    ) -> Result<Vec<Option<Verdict>>> {
        let check =
            Check { store: self, names, watch, ended: AtomicBool::new(false), state: Mutex::default() };
        check.state.lock().verdicts = vec![None; names.len()];
        together(usize::MAX, || check.run());
        let state = std::mem::take(&mut *check.state.lock());
        state.failure.map_or(Ok(state.verdicts), Err)
    }
}

/// One run of [`Store::check_blobs`].
struct Check<'a> {
    store: &'a Arc<Store>,
    names: &'a [BlobName],
    watch: &'a dyn CheckWatch,
    ended: AtomicBool,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// The next blob to open.
    next: usize,
    /// The blob whose pieces are being handed out.
    current: Option<Arc<Open>>,
    /// Its next piece.
    piece: u64,
    verdicts: Vec<Option<Verdict>>,
    failure: Option<StorageError>,
}

/// A blob that is being checked.
struct Open {
    index: usize,
    inspection: Inspection,
    progress: Mutex<Progress>,
}

#[derive(Default)]
struct Progress {
    pieces: u64,
    damaged: Vec<Range<u64>>,
}

impl Check<'_> {
    fn run(&self) {
        let mut buffer = Vec::new();
        while let Some((open, piece)) = self.take() {
            let outcome = open.inspection.check(piece, &mut buffer);
            let range = open.inspection.range(piece);
            match outcome {
                Ok(damage) => self.note(&open, damage),
                Err(error) => self.fail(error),
            }
            if !self.watch.checked(open.index, range.end - range.start) {
                self.ended.store(true, Ordering::Relaxed);
            }
        }
    }

    /// The next piece of work.
    fn take(&self) -> Option<(Arc<Open>, u64)> {
        let mut state = self.state.lock();
        loop {
            if self.ended.load(Ordering::Relaxed) {
                return None;
            }
            let piece = state.piece;
            if let Some(open) = state.current.clone().filter(|open| piece < open.inspection.pieces()) {
                state.piece += 1;
                return Some((open, piece));
            }
            let name = self.names.get(state.next)?;
            self.open(&mut state, name);
        }
    }

    fn open(&self, state: &mut State, name: &BlobName) {
        let index = state.next;
        state.next += 1;
        let verdict = match self.store.inspect(name) {
            Ok(Found::Here(inspection)) => {
                state.current = Some(Arc::new(Open { index, inspection, progress: Mutex::default() }));
                state.piece = 0;
                return;
            }
            Ok(Found::Absent) => Verdict::Absent,
            Ok(Found::Lost(record)) => {
                Verdict::Lost { size: record.size, incarnation: Incarnation(record.incarnation) }
            }
            Ok(Found::Unreadable { record, reason }) => Verdict::Unreadable {
                incarnation: record.map(|record| Incarnation(record.incarnation)),
                reason,
            },
            Err(error) => {
                state.failure.get_or_insert(error);
                self.ended.store(true, Ordering::Relaxed);
                return;
            }
        };
        if let Some(slot) = state.verdicts.get_mut(index) {
            *slot = Some(verdict);
        }
    }

    /// A piece was compared; with the last one the blob has its verdict.
    fn note(&self, open: &Open, damage: Option<Range<u64>>) {
        let mut progress = open.progress.lock();
        progress.pieces += 1;
        progress.damaged.extend(damage);
        if progress.pieces < open.inspection.pieces() {
            return;
        }
        let damaged = joined(std::mem::take(&mut progress.damaged));
        let verdict = Verdict::Checked { size: open.inspection.size(), damaged };
        if let Some(slot) = self.state.lock().verdicts.get_mut(open.index) {
            *slot = Some(verdict);
        }
    }

    fn fail(&self, error: StorageError) {
        self.state.lock().failure.get_or_insert(error);
        self.ended.store(true, Ordering::Relaxed);
    }
}

fn joined(mut ranges: Vec<Range<u64>>) -> Vec<Range<u64>> {
    ranges.sort_unstable_by_key(|range| range.start);
    let mut out: Vec<Range<u64>> = Vec::with_capacity(ranges.len());
    for range in ranges {
        match out.last_mut() {
            Some(last) if last.end == range.start => last.end = range.end,
            _ => out.push(range),
        }
    }
    out
}
