//! Hashes a blob while it is written: bytes that come in order from memory, the others by one thread per writer, which reads
//! them back once all bytes before them are there.

use std::fs::File;
use std::ops::Range;
use std::sync::Arc;
use std::thread::{Builder, JoinHandle};

use bytes::Bytes;

use crate::digest::Digest;
use crate::error::{Result, StorageError};
use crate::hashes::{Hashed, Hashes};
use crate::journal::Journal;
use crate::layout::BLOCK_SIZE;
use crate::ledger::{Check, HashStep, Ledger};
use crate::mutex::Mutex;
use crate::placement::Placement;
use crate::recent::{Recent, RecentTotal};
use crate::record::Segment;
use crate::segments::segments_of;

/// From this many bytes on (256 KiB) a write has a thread of its own beside the hashing: starting one takes about as long as
/// hashing 32 KiB.
const BESIDE: usize = 256 << 10;

/// Hashes one blob. Whoever may hash next, the ledger decides: a write that brings the next bytes hashes them from memory while
/// they go to the disk; what came out of order or was there before is read back by a thread.
pub(crate) struct Hasher {
    pub(crate) ledger: Arc<Ledger>,
    pub(crate) placement: Arc<Placement>,
    journal: Arc<Journal>,
    recent: Recent,
    /// Only locked by whom the ledger lets hash.
    pub(crate) hashed: Mutex<Hashed>,
    pub(crate) expected: Digest,
    /// Told when the digests are those expected.
    pub(crate) awaited: Mutex<Option<Box<dyn FnOnce() + Send>>>,
    /// Held while bytes inside a block are replaced.
    pub(crate) replacing: Mutex<()>,
}

impl Hasher {
    pub(crate) fn new(
        ledger: Arc<Ledger>,
        placement: Arc<Placement>,
        journal: Arc<Journal>,
        expected: &Digest,
        recent: Arc<RecentTotal>,
    ) -> Self {
        let fresh = Hashes::new(expected, ledger.identity().size);
        Self {
            ledger,
            placement,
            journal,
            recent: Recent::new(recent),
            hashed: Mutex::new(Hashed::new(fresh)),
            expected: *expected,
            awaited: Mutex::default(),
            replacing: Mutex::default(),
        }
    }

    /// Starts the thread; it ends with [`Ledger::end_hashing`].
    pub(crate) fn start(self: &Arc<Self>) -> Result<JoinHandle<()>> {
        let name = format!("hash-{:.8}", self.ledger.identity().name.to_hex());
        let hasher = Arc::clone(self);
        Builder::new().name(name).spawn(move || hasher.run()).map_err(|source| StorageError::Io {
            action: "start a hashing thread",
            path: std::path::PathBuf::new(),
            source,
        })
    }

    /// Writes `bytes` at `offset` and leaves the hashing to the thread, which finds them in memory if it comes soon.
    pub(crate) fn write_behind(&self, offset: u64, bytes: Bytes) -> Result<()> {
        let flight = self.begin(offset, &bytes)?;
        let (outcome, segments) = self.place(offset, &bytes);
        if outcome.is_ok() {
            self.recent.keep(offset, bytes);
        }
        self.ledger.end(flight, segments);
        outcome
    }

    pub(crate) fn begin(&self, offset: u64, bytes: &[u8]) -> Result<u64> {
        let range = offset..offset + bytes.len() as u64;
        let flight = self.ledger.begin(range.clone())?;
        // After the ledger, which lets nobody hash these bytes from here on, and before they change.
        self.recent.forget(&range);
        Ok(flight)
    }

    fn place(&self, offset: u64, bytes: &[u8]) -> (Result<()>, Vec<Segment>) {
        self.place_in(offset, bytes, offset, bytes)
    }

    /// Writes `bytes` at `offset`, which are a part of `all` at `start`: the disk has the others already.
    pub(crate) fn place_in(
        &self,
        start: u64,
        all: &[u8],
        offset: u64,
        bytes: &[u8],
    ) -> (Result<()>, Vec<Segment>) {
        let outcome = self.placement.write_at(offset, bytes);
        let segments = if outcome.is_ok() { segments_of(start, all) } else { Vec::new() };
        self.journal.note(&segments);
        (outcome, segments)
    }

    /// Writes `bytes` at `offset`, hashing them meanwhile when they are the next ones.
    pub(crate) fn write(&self, offset: u64, bytes: &[u8]) -> Result<()> {
        let flight = self.begin(offset, bytes)?;
        self.hash_beside(flight, offset, bytes, || self.place(offset, bytes))
    }

    /// Takes `bytes.len()` bytes at `offset` from the same place of `source` by sharing its disk blocks, and fills `bytes` with
    /// them; false, and nothing done, where that is not possible. What counts is read back from the store: the source may
    /// change meanwhile.
    pub(crate) fn share(&self, offset: u64, bytes: &mut [u8], source: &File) -> Result<bool> {
        let flight = self.begin(offset, bytes)?;
        let shared = match self.placement.share_at(offset, bytes.len() as u64, source) {
            Ok(true) => self.placement.read_at(offset, bytes).map(|()| true),
            other => other,
        };
        if !matches!(shared, Ok(true)) {
            self.ledger.end(flight, Vec::new());
            return shared;
        }
        let bytes = &*bytes;
        let note = || {
            let segments = segments_of(offset, bytes);
            self.journal.note(&segments);
            (Ok(()), segments)
        };
        self.hash_beside(flight, offset, bytes, note).map(|()| true)
    }

    /// Runs `write`, which brings `bytes` to their place, hashing them meanwhile when they are the next ones.
    fn hash_beside(
        &self,
        flight: u64,
        offset: u64,
        bytes: &[u8],
        write: impl Fn() -> (Result<()>, Vec<Segment>) + Sync,
    ) -> Result<()> {
        let Some(epoch) = self.ledger.hash_in_flight(flight) else {
            let (outcome, segments) = write();
            self.ledger.end(flight, segments);
            return outcome;
        };
        let mut hashed = self.hashed.lock();
        let mut next = hashed.at(epoch, offset);
        let hash = || next.update(offset, bytes);
        let (outcome, segments) = if bytes.len() < BESIDE { alone(hash, write) } else { beside(hash, write) };
        if self.ledger.end(flight, segments) {
            hashed.count(next);
        }
        outcome
    }

    fn run(&self) {
        let mut buffer = Vec::new();
        loop {
            match self.ledger.next_hash_step() {
                HashStep::Piece { epoch, range, check } => self.hash(epoch, &range, check, &mut buffer),
                HashStep::Finish(epoch) => {
                    let all = self.hashed.lock().at(epoch, 0);
                    self.ledger.set_digests(epoch, all.hashes.finish());
                    self.tell_if_right();
                }
                HashStep::End => return,
            }
        }
    }

    fn hash(&self, epoch: u64, range: &Range<u64>, check: Check, buffer: &mut Vec<u8>) {
        let mut hashed = self.hashed.lock();
        let mut next = hashed.at(epoch, range.start);
        if check == Check::Needless
            && let Some(bytes) = self.recent.take(range)
        {
            next.update(range.start, &bytes);
            if self.ledger.end_piece(epoch, range.start + bytes.len() as u64) {
                hashed.count(next);
            }
            return;
        }
        buffer.resize(usize::try_from(range.end - range.start).unwrap_or(0), 0);
        // Bytes that cannot be read are as good as damaged: they are fetched again.
        let read = self.placement.read_at(range.start, buffer).is_ok();
        if read && next.agrees(range.start, buffer, check) {
            next.update(range.start, buffer);
            if self.ledger.end_piece(epoch, range.end) {
                hashed.count(next);
            }
        } else if self.ledger.drop_block(epoch, range.start - range.start % BLOCK_SIZE) {
            hashed.go_back(epoch, range.start);
        }
    }
}

/// Hashes, then writes.
fn alone<T>(hash: impl FnOnce(), write: impl FnOnce() -> T) -> T {
    hash();
    write()
}

/// Hashes while another thread writes: hashing takes longer, so that starting the thread costs no time.
fn beside<T: Send>(mut hash: impl FnMut(), write: impl Fn() -> T + Sync) -> T {
    std::thread::scope(|scope| {
        let writing = Builder::new().spawn_scoped(scope, &write);
        hash();
        let written = writing.ok().and_then(|writing| writing.join().ok());
        // Without a thread the caller writes.
        written.unwrap_or_else(&write)
    })
}
