//! Who hashes which bytes of a blob next, and whether what was hashed counts.

use std::ops::Range;
use std::sync::atomic::Ordering;

use super::{Ledger, State};
use crate::hashes::Digests;
use crate::layout::BLOCK_SIZE;

/// Most bytes the hasher reads at once (1 MiB).
pub(super) const PIECE: u64 = 1 << 20;

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

impl State {
    /// The byte at `offset` changes: hashing goes on from the beginning of its block, or where it was before that.
    pub(super) fn restart_hashing(&mut self, offset: u64) {
        let from = offset.min(self.hashed);
        self.epoch += 1;
        self.hashed = from - from % BLOCK_SIZE;
        self.claimed = self.hashed;
        self.digests = None;
    }

    /// Whoever hashed under `epoch` has got to `end`, or no further than before; true when what it hashed counts.
    pub(super) fn stop_hashing(&mut self, epoch: u64, end: Option<u64>) -> bool {
        self.hashing = false;
        if self.epoch != epoch {
            return false;
        }
        self.hashed = end.unwrap_or(self.hashed);
        self.claimed = self.hashed;
        end.is_some()
    }
}

impl Ledger {
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

    /// Waits until all bytes are hashed; the missing ranges when the hasher found damage, `None` after
    /// [`interrupt`](Self::interrupt).
    pub(crate) fn wait_for_digests(&self) -> Result<Option<Digests>, Vec<Range<u64>>> {
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
}
