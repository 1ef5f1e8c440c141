//! What is known about the bytes of one blob while it is written: which are there, which are on their way, how far they are
//! hashed. Everything that decides whether a byte counts is decided here, under one lock.

#[cfg(test)]
mod tests;

use std::collections::BTreeSet;
use std::ops::Range;
use std::sync::MutexGuard;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::digest::{BlobName, Digest, Incarnation};
use crate::error::{Result, StorageError};
use crate::layout::BLOCK_SIZE;
use crate::lease::now_ms;
use crate::mutex::{Condvar, Mutex};
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
    /// It hashes its own bytes, under this epoch.
    hashing: Option<u64>,
}

impl Flight {
    fn overlaps(&self, range: &Range<u64>) -> bool {
        self.range.start < range.end && range.start < self.range.end
    }
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
    /// The byte at `offset` changes: hashing goes on from the beginning of its block, or where it was before that.
    fn restart_hashing(&mut self, offset: u64) {
        let from = offset.min(self.hashed);
        self.epoch += 1;
        self.hashed = from - from % BLOCK_SIZE;
        self.claimed = self.hashed;
        self.digests = None;
    }

    fn remove(&mut self, range: &Range<u64>) {
        let before = self.segments.covered();
        self.segments.remove(range);
        if self.segments.covered() != before {
            self.version += 1;
        }
    }

    /// Whoever hashed under `epoch` has got to `end`, or no further than before; true when what it hashed counts.
    fn stop_hashing(&mut self, epoch: u64, end: Option<u64>) -> bool {
        self.hashing = false;
        if self.epoch != epoch {
            return false;
        }
        self.hashed = end.unwrap_or(self.hashed);
        self.claimed = self.hashed;
        end.is_some()
    }
}

/// What the hasher's thread does next. Nobody else hashes until it has told the ledger how that went.
pub(crate) enum HashStep {
    /// Read and hash this range, after what was hashed under the same epoch.
    Piece { epoch: u64, range: Range<u64>, check: Check },
    /// All bytes are hashed: tell the digests.
    Finish(u64),
    /// The writer is gone.
    End,
}

/// Whether a piece is compared with its recorded checksum.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Check {
    /// This run wrote the whole block: the checksum is of the same bytes.
    Needless,
    /// The block has bytes of an earlier run, and a checksum that reaches beyond this piece.
    Later,
    /// This is the checksum of the block up to the end of this piece.
    Now(u32),
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

    /// Whether the write `flight` may hash its own bytes while it goes on, and under which epoch: they are the next ones, and
    /// nobody else is hashing. Blocks of an earlier run are left to the hasher's thread, which compares their checksums.
    pub(crate) fn hash_in_flight(&self, flight: u64) -> Option<u64> {
        let mut guard = self.state.lock();
        let state = &mut *guard;
        let flight = state.flights.iter_mut().find(|f| f.id == flight)?;
        let Range { start, end } = flight.range;
        let blocks = start / BLOCK_SIZE..end.div_ceil(BLOCK_SIZE);
        if state.hashing
            || flight.torn
            || start != state.hashed
            || start >= end
            || state.earlier.range(blocks).next().is_some()
        {
            return None;
        }
        state.hashing = true;
        state.claimed = end;
        flight.hashing = Some(state.epoch);
        flight.hashing
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

    /// Waits until all bytes are hashed; the missing ranges when the hasher found damage, `None` after
    /// [`interrupt`](Self::interrupt).
    pub(crate) fn wait_for_digests(&self) -> std::result::Result<Option<Digests>, Vec<Range<u64>>> {
        let mut state = self.state.lock();
        loop {
            let missing = state.segments.missing(self.identity.size);
            if !missing.is_empty() {
                return Err(missing);
            }
            if state.digests.is_some() || self.is_interrupted() {
                return Ok(state.digests);
            }
            state = self.changed.wait(state);
        }
    }

    /// From now on nobody waits for digests.
    pub(crate) fn interrupt(&self) {
        let state = self.state.lock();
        self.interrupted.store(true, Ordering::Relaxed);
        self.wake(state);
    }

    pub(crate) fn is_interrupted(&self) -> bool {
        self.interrupted.load(Ordering::Relaxed)
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

    /// The digests of all bytes; `None` while they are not known.
    pub(crate) fn digests(&self) -> Option<Digests> {
        self.state.lock().digests
    }

    /// The writer is gone: ends the hasher.
    pub(crate) fn end_hashing(&self) {
        let mut state = self.state.lock();
        state.ended = true;
        self.wake(state);
    }

    /// Waits for what the hasher's thread does next.
    pub(crate) fn next_hash_step(&self) -> HashStep {
        let mut state = self.state.lock();
        loop {
            if state.ended {
                return HashStep::End;
            }
            if !state.hashing
                && let Some(step) = self.hash_step(&mut state)
            {
                state.hashing = true;
                return step;
            }
            state = self.changed.wait(state);
        }
    }

    fn hash_step(&self, state: &mut State) -> Option<HashStep> {
        let (start, epoch) = (state.hashed, state.epoch);
        if start == self.identity.size {
            return state.digests.is_none().then_some(HashStep::Finish(epoch));
        }
        let segment = state.segments.at(start)?;
        let end = segment.end().min(start + PIECE);
        // Everything before `start` is there and neighbours merge, so the segment begins with the block.
        let whole = end == segment.end() && segment.start.is_multiple_of(BLOCK_SIZE);
        let check = match (state.earlier.contains(&segment.block()), whole) {
            (false, _) => Check::Needless,
            (true, false) => Check::Later,
            (true, true) => Check::Now(segment.crc),
        };
        state.claimed = end;
        Some(HashStep::Piece { epoch, range: start..end, check })
    }

    /// The hasher's thread has hashed the bytes before `end`; true when the bytes it read are still those of the disk.
    pub(crate) fn end_piece(&self, epoch: u64, end: u64) -> bool {
        let mut state = self.state.lock();
        state.stop_hashing(epoch, Some(end))
    }

    /// The hasher's thread found that the block that begins at `start` is damaged on the disk: its bytes are missing from now
    /// on. True when the bytes it read are still those of the disk.
    pub(crate) fn drop_block(&self, epoch: u64, start: u64) -> bool {
        let mut state = self.state.lock();
        let counts = state.stop_hashing(epoch, Some(start));
        if counts {
            state.remove(&(start..start + BLOCK_SIZE));
            state.earlier.remove(&(start / BLOCK_SIZE));
        }
        self.wake(state);
        counts
    }

    /// The hasher's thread has all bytes hashed.
    pub(crate) fn set_digests(&self, epoch: u64, digests: Digests) {
        let mut state = self.state.lock();
        state.hashing = false;
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
