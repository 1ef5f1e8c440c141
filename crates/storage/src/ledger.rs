//! What is known about the bytes of one blob while it is written: which are there, which are on their way, how far they are
//! hashed. Everything that decides whether a byte counts is decided here, under one lock.

use std::ops::Range;

use parking_lot::{Condvar, Mutex, MutexGuard};

use crate::digest::{BlobName, Digest, Incarnation};
use crate::error::{Result, StorageError};
use crate::layout::BLOCK_SIZE;
use crate::lease::now_ms;
use crate::record::{BlobRecord, BlobState, Segment};
use crate::segments::SegmentSet;

/// Most bytes the hasher reads at once (1 MiB).
const PIECE: u64 = 1 << 20;

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
}

/// The digests of all bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Digests {
    pub(crate) sha256: [u8; 32],
    /// Only computed when a git sha1 is expected.
    pub(crate) git_sha1: Option<[u8; 20]>,
    /// The sha1 input is a collision attack.
    pub(crate) collision: bool,
}

impl Digests {
    /// What was found in the algorithm of `expected`.
    pub(crate) fn like(&self, expected: &Digest) -> Digest {
        match (expected, self.git_sha1) {
            (Digest::GitSha1(_), Some(sha1)) => Digest::GitSha1(sha1),
            _ => Digest::Sha256(self.sha256),
        }
    }

    pub(crate) fn satisfy(&self, expected: &Digest) -> bool {
        !self.collision && self.like(expected) == *expected
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
    /// Bytes before this offset were given to the hasher. A write below it makes hashing begin again under a new epoch.
    claimed: u64,
    epoch: u64,
    digests: Option<Digests>,
}

impl State {
    fn restart_hashing(&mut self) {
        self.epoch += 1;
        self.claimed = 0;
        self.digests = None;
    }

    fn remove(&mut self, range: &Range<u64>) {
        let before = self.segments.covered();
        self.segments.remove(range);
        if self.segments.covered() != before {
            self.version += 1;
        }
    }
}

/// What the hasher does next.
pub(crate) enum HashStep {
    /// Begin at byte 0 under this epoch.
    Restart(u64),
    /// Read and hash this range; the CRC of its block up to the end of the range must be `check` when that is known.
    Piece { range: Range<u64>, check: Option<u32> },
    /// All bytes are hashed: tell the digests.
    Finish,
    /// The writer is gone.
    End,
}

/// The ledger of one blob.
pub(crate) struct Ledger {
    identity: BlobIdentity,
    state: Mutex<State>,
    changed: Condvar,
}

impl Ledger {
    /// A ledger that begins with the recorded bytes.
    pub(crate) fn new(identity: BlobIdentity, recorded: &[Segment]) -> Self {
        let segments = SegmentSet::from_record(recorded, identity.size);
        Self { identity, state: Mutex::new(State { segments, ..State::default() }), changed: Condvar::new() }
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
        if state.sealed {
            return Err(StorageError::InvalidArgument {
                what: format!("blob {}", self.identity.name),
                reason: "it is being finished, nothing more can be written".to_owned(),
            });
        }
        state.remove(&range);
        if range.start < state.claimed {
            state.restart_hashing();
        }
        let mut torn = false;
        for other in
            state.flights.iter_mut().filter(|f| f.range.start < range.end && range.start < f.range.end)
        {
            other.torn = true;
            torn = true;
        }
        let id = state.next_flight;
        state.next_flight += 1;
        state.flights.push(Flight { id, range, torn });
        Ok(id)
    }

    /// The write `flight` has ended with these bytes on their way to the disk, or with none.
    pub(crate) fn end(&self, flight: u64, written: Vec<Segment>) {
        let mut state = self.state.lock();
        let Some(at) = state.flights.iter().position(|f| f.id == flight) else { return };
        if !state.flights.swap_remove(at).torn && !written.is_empty() {
            for segment in written {
                state.segments.insert(segment);
            }
            state.version += 1;
        }
        drop(state);
        self.changed.notify_all();
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
        if state.sealed {
            return Err(StorageError::InvalidArgument {
                what: format!("blob {}", self.identity.name),
                reason: "it is being finished by another call, or is finished".to_owned(),
            });
        }
        let missing = state.segments.missing(self.identity.size);
        state.sealed = missing.is_empty();
        Ok(missing)
    }

    /// Allows writes again.
    pub(crate) fn unseal(&self) {
        self.state.lock().sealed = false;
    }

    /// Waits until all bytes are hashed; the missing ranges when the hasher found damage.
    pub(crate) fn wait_for_digests(&self) -> std::result::Result<Digests, Vec<Range<u64>>> {
        let mut state = self.state.lock();
        loop {
            let missing = state.segments.missing(self.identity.size);
            if !missing.is_empty() {
                return Err(missing);
            }
            if let Some(digests) = state.digests {
                return Ok(digests);
            }
            self.changed.wait(&mut state);
        }
    }

    /// Forgets all bytes: they are not what was expected.
    pub(crate) fn drop_all(&self) {
        let mut state = self.state.lock();
        state.remove(&(0..self.identity.size));
        state.restart_hashing();
        self.wake(state);
    }

    /// The writer is gone: ends the hasher.
    pub(crate) fn end_hashing(&self) {
        let mut state = self.state.lock();
        state.ended = true;
        self.wake(state);
    }

    /// Waits for what the hasher, having hashed `0..position` under `epoch`, does next.
    pub(crate) fn next_hash_step(&self, epoch: u64, position: u64) -> HashStep {
        let mut state = self.state.lock();
        loop {
            if state.ended {
                return HashStep::End;
            }
            if state.epoch != epoch {
                return HashStep::Restart(state.epoch);
            }
            if position == self.identity.size && state.digests.is_none() {
                return HashStep::Finish;
            }
            if let Some(segment) = state.segments.at(position) {
                let end = segment.end().min(position + PIECE);
                // Everything before `position` is there and neighbours merge, so the segment begins with the block.
                let whole = end == segment.end() && segment.start.is_multiple_of(BLOCK_SIZE);
                state.claimed = end;
                return HashStep::Piece { range: position..end, check: whole.then_some(segment.crc) };
            }
            self.changed.wait(&mut state);
        }
    }

    /// Whether the bytes read under `epoch` are still those of the disk.
    pub(crate) fn is_epoch(&self, epoch: u64) -> bool {
        self.state.lock().epoch == epoch
    }

    /// The block that begins at `start` is damaged on the disk: its bytes are missing from now on.
    pub(crate) fn drop_block(&self, epoch: u64, start: u64) {
        let mut state = self.state.lock();
        if state.epoch == epoch {
            state.remove(&(start..start + BLOCK_SIZE));
            state.claimed = start;
        }
        self.wake(state);
    }

    /// All bytes are hashed.
    pub(crate) fn set_digests(&self, epoch: u64, digests: Digests) {
        let mut state = self.state.lock();
        if state.epoch == epoch {
            state.digests = Some(digests);
        }
        self.wake(state);
    }

    fn wake(&self, state: MutexGuard<'_, State>) {
        drop(state);
        self.changed.notify_all();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::segments::segments_of;

    fn ledger(size: u64) -> Ledger {
        let (name, incarnation) = (BlobName([1; 32]), Incarnation([2; 16]));
        Ledger::new(BlobIdentity { name, size, incarnation, provisional: false }, &[])
    }

    fn write(ledger: &Ledger, offset: u64, bytes: &[u8]) {
        let flight = ledger.begin(offset..offset + bytes.len() as u64).unwrap();
        ledger.end(flight, segments_of(offset, bytes));
    }

    #[test]
    fn two_writes_of_the_same_bytes_at_once_count_for_neither() {
        let ledger = ledger(30);
        let first = ledger.begin(0..20).unwrap();
        let second = ledger.begin(10..30).unwrap();
        ledger.end(first, segments_of(0, &[1; 20]));
        ledger.end(second, segments_of(10, &[2; 20]));
        assert_eq!(ledger.covered(), 0);
        write(&ledger, 0, &[3; 30]);
        assert_eq!(ledger.missing(), []);
    }

    #[test]
    fn bytes_count_only_between_two_writes_of_them() {
        let ledger = ledger(20);
        write(&ledger, 0, &[1; 20]);
        let again = ledger.begin(5..10).unwrap();
        assert_eq!(ledger.covered(), 0, "the checksum of the rest is not known");
        ledger.end(again, Vec::new());
        assert_eq!(ledger.covered(), 0, "the write has failed");
        write(&ledger, 5, &[1; 5]);
        assert_eq!(ledger.missing(), [0..5, 10..20]);
    }

    #[test]
    fn a_write_below_what_was_hashed_begins_hashing_again() {
        let ledger = ledger(20);
        write(&ledger, 0, &[1; 20]);
        assert!(
            matches!(ledger.next_hash_step(0, 0), HashStep::Piece { range, check: Some(_) } if range == (0..20))
        );
        let flight = ledger.begin(3..4).unwrap();
        assert!(!ledger.is_epoch(0));
        ledger.end(flight, segments_of(3, &[1]));
        assert!(matches!(ledger.next_hash_step(0, 20), HashStep::Restart(1)));
        let digests = Digests { sha256: [9; 32], git_sha1: None, collision: false };
        ledger.set_digests(0, digests);
        write(&ledger, 0, &[1; 20]);
        assert!(matches!(ledger.next_hash_step(1, 20), HashStep::Finish), "digests of old bytes were taken");
    }

    #[test]
    fn a_record_is_due_until_it_was_written_and_again_after_each_change() {
        let ledger = ledger(20);
        assert!(ledger.unrecorded().is_none());
        write(&ledger, 0, &[1; 10]);
        let (version, record) = ledger.unrecorded().unwrap();
        assert_eq!(record.downloaded(), 10);
        write(&ledger, 10, &[1; 10]);
        ledger.set_recorded(version);
        let (version, record) = ledger.unrecorded().unwrap();
        assert_eq!(record.downloaded(), 20);
        ledger.set_recorded(version);
        assert!(ledger.unrecorded().is_none());
        ledger.drop_block(0, 0);
        assert_eq!(ledger.unrecorded().unwrap().1.downloaded(), 0);
    }

    #[test]
    fn nothing_is_written_to_a_sealed_blob() {
        let ledger = ledger(10);
        assert_eq!(ledger.seal().unwrap().len(), 1, "not all bytes are there");
        write(&ledger, 0, &[1; 10]);
        assert!(ledger.seal().unwrap().is_empty());
        assert!(ledger.begin(0..1).is_err());
        assert!(ledger.seal().is_err(), "two calls finish one blob");
        ledger.unseal();
        ledger.begin(0..1).unwrap();
    }
}
