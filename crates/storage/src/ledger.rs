//! What is known about the bytes of one blob while it is written: which are there, which are on their way, how far they are
//! hashed. Everything that decides whether a byte counts is decided here, under one lock.

mod hashing;
#[cfg(test)]
mod tests;

use std::collections::BTreeSet;
use std::ops::Range;
use std::sync::MutexGuard;
use std::sync::atomic::AtomicBool;

pub(crate) use self::hashing::{Check, HashStep};
use crate::digest::{BlobName, Incarnation};
use crate::error::{Result, StorageError};
use crate::hashes::Digests;
use crate::lease::now_ms;
use crate::mutex::{Condvar, Mutex};
use crate::record::{BlobRecord, BlobState, Segment};
use crate::segments::SegmentSet;

/// Identity of a partial blob; it does not change while it is written.
#[derive(Clone, Copy, Debug)]
pub(crate) struct BlobIdentity {
    pub(crate) name: BlobName,
    pub(crate) size: u64,
    pub(crate) incarnation: Incarnation,
    pub(crate) provisional: bool,
}

impl BlobIdentity {
    /// The record of this blob with these durable bytes.
    pub(crate) fn record(&self, state: BlobState, segments: Vec<Segment>) -> BlobRecord {
        BlobRecord {
            state,
            size: self.size,
            incarnation: self.incarnation.0,
            segments,
            provisional: self.provisional,
            last_use_ms: now_ms(),
        }
    }
}

/// A write between its start and its end.
struct Flight {
    id: u64,
    range: Range<u64>,
    /// Another write of the same bytes went on meanwhile: nobody knows which of them the disk has.
    torn: bool,
    /// It hashes its own bytes, under this epoch.
    hashing: Option<u64>,
}

impl Flight {
    fn overlaps(&self, range: &Range<u64>) -> bool {
        self.range.start < range.end && range.start < self.range.end
    }
}

#[derive(Default)]
struct State {
    segments: SegmentSet,
    flights: Vec<Flight>,
    next_flight: u64,
    /// Counts changes of `segments`; the record in M has those of `recorded`.
    version: u64,
    recorded: u64,
    /// No write may begin: the blob is being finished, or is finished.
    sealed: bool,
    /// The writer is gone.
    ended: bool,
    /// All bytes before this offset are hashed, under `epoch`.
    hashed: u64,
    /// Bytes before this offset are hashed or being hashed. A write below it makes hashing go back under a new epoch.
    claimed: u64,
    /// Someone is hashing: the hasher's thread, or a write its own bytes. One at a time, also over a change of the epoch.
    hashing: bool,
    epoch: u64,
    /// Blocks with bytes that an earlier run recorded: their checksums are compared with the disk before they are hashed.
    earlier: BTreeSet<u64>,
    digests: Option<Digests>,
}

impl State {
    fn remove(&mut self, range: &Range<u64>) {
        let before = self.segments.covered();
        self.segments.remove(range);
        if self.segments.covered() != before {
            self.version += 1;
        }
    }
}

/// The ledger of one blob.
pub(crate) struct Ledger {
    identity: BlobIdentity,
    state: Mutex<State>,
    changed: Condvar,
    /// Nobody is to wait for digests any more. Set under the lock of `state`, so that nobody begins to wait meanwhile.
    interrupted: AtomicBool,
}

impl Ledger {
    /// A ledger that begins with the bytes recorded in M, and those that only a journal claims.
    pub(crate) fn new(identity: BlobIdentity, recorded: &[Segment], claimed: &[Segment]) -> Self {
        let all = [recorded, claimed].concat();
        let segments = SegmentSet::from_record(&all, identity.size);
        let earlier = all.iter().map(Segment::block).collect();
        let version = u64::from(!claimed.is_empty());
        let state = State { segments, version, earlier, ..State::default() };
        Self {
            identity,
            state: Mutex::new(state),
            changed: Condvar::default(),
            interrupted: AtomicBool::new(false),
        }
    }

    pub(crate) fn identity(&self) -> &BlobIdentity {
        &self.identity
    }

    pub(crate) fn missing(&self) -> Vec<Range<u64>> {
        self.state.lock().segments.missing(self.identity.size)
    }

    pub(crate) fn covered(&self) -> u64 {
        self.state.lock().segments.covered()
    }

    /// A write of `range` begins: until it has ended, none of these bytes count.
    pub(crate) fn begin(&self, range: Range<u64>) -> Result<u64> {
        let mut state = self.state.lock();
        self.check_open(&state)?;
        state.remove(&range);
        if range.start < state.claimed {
            state.restart_hashing(range.start);
        }
        let mut torn = false;
        for other in state.flights.iter_mut().filter(|flight| flight.overlaps(&range)) {
            other.torn = true;
            torn = true;
        }
        let id = state.next_flight;
        state.next_flight += 1;
        state.flights.push(Flight { id, range, torn, hashing: None });
        Ok(id)
    }

    /// The write `flight` has ended with these bytes on their way to the disk, or with none. True when it hashed its own bytes
    /// and they count.
    pub(crate) fn end(&self, flight: u64, written: Vec<Segment>) -> bool {
        let mut state = self.state.lock();
        let Some(at) = state.flights.iter().position(|f| f.id == flight) else { return false };
        let flight = state.flights.swap_remove(at);
        let counts = !flight.torn && !written.is_empty();
        if counts {
            for segment in written {
                state.segments.insert(segment);
            }
            state.version += 1;
        }
        let hashed =
            flight.hashing.is_some_and(|epoch| state.stop_hashing(epoch, counts.then_some(flight.range.end)));
        // The hasher's thread sleeps on while the writes hash for it.
        if state.hashed == self.identity.size || state.segments.at(state.hashed).is_some() {
            self.wake(state);
        }
        hashed
    }

    /// The record M lacks, and its version; `None` when M has everything.
    pub(crate) fn unrecorded(&self) -> Option<(u64, BlobRecord)> {
        let state = self.state.lock();
        (state.version != state.recorded).then(|| (state.version, self.partial(&state)))
    }

    /// Version `version` is durable in M.
    pub(crate) fn set_recorded(&self, version: u64) {
        self.state.lock().recorded = version;
    }

    fn partial(&self, state: &State) -> BlobRecord {
        self.identity.record(BlobState::Partial, state.segments.to_record())
    }

    /// All segments as they will be in the complete record.
    pub(crate) fn segments(&self) -> Vec<Segment> {
        self.state.lock().segments.to_record()
    }

    /// Allows no further write when all bytes are there; else says which are missing.
    pub(crate) fn seal(&self) -> Result<Vec<Range<u64>>> {
        let mut state = self.state.lock();
        self.check_open(&state)?;
        let missing = state.segments.missing(self.identity.size);
        state.sealed = missing.is_empty();
        Ok(missing)
    }

    /// From the seal on the bytes are those that get a digest and a record.
    fn check_open(&self, state: &State) -> Result<()> {
        if !state.sealed {
            return Ok(());
        }
        Err(StorageError::InvalidArgument {
            what: format!("blob {}", self.identity.name),
            reason: "it is being finished, or is finished: its bytes stay as they are".to_owned(),
        })
    }

    /// Allows writes again.
    pub(crate) fn unseal(&self) {
        self.state.lock().sealed = false;
    }

    /// Forgets all bytes: they are not what was expected.
    pub(crate) fn drop_all(&self) -> Result<()> {
        let mut state = self.state.lock();
        self.check_open(&state)?;
        state.remove(&(0..self.identity.size));
        state.restart_hashing(0);
        self.wake(state);
        Ok(())
    }

    /// Forgets these bytes: the disk does not have what was written.
    pub(crate) fn drop_range(&self, range: &Range<u64>) {
        let mut state = self.state.lock();
        state.remove(range);
        state.restart_hashing(range.start);
        self.wake(state);
    }

    fn wake(&self, state: MutexGuard<'_, State>) {
        drop(state);
        self.changed.notify_all();
    }
}
