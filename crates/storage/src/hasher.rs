//! Hashes a blob while it is written: bytes that come in order from memory, the others by one thread per writer, which reads
//! them back once all bytes before them are there.

use std::fs::File;
use std::ops::Range;
use std::sync::Arc;
use std::thread::{Builder, JoinHandle};

use bytes::Bytes;
use sha1_checked::Sha1;
use sha2::{Digest as _, Sha256};

use crate::block::crc32c;
use crate::digest::Digest;
use crate::error::{Result, StorageError};
use crate::journal::Journal;
use crate::layout::BLOCK_SIZE;
use crate::ledger::{Check, Digests, HashStep, Ledger};
use crate::mutex::Mutex;
use crate::placement::Placement;
use crate::recent::Recent;
use crate::record::Segment;
use crate::segments::{combine, segments_of};

/// From this many bytes on (256 KiB) a write has a thread of its own beside the hashing: starting one takes about as long as
/// hashing 32 KiB.
const BESIDE: usize = 256 << 10;

/// Running digests of the bytes before some offset.
#[derive(Clone)]
pub(crate) struct Hashes {
    sha256: Sha256,
    git_sha1: Option<Sha1>,
}

impl Hashes {
    /// For a file of `size` bytes of which `expected` is known.
    pub(crate) fn new(expected: &Digest, size: u64) -> Self {
        let git_sha1 = matches!(expected, Digest::GitSha1(_)).then(|| {
            let mut sha1 = Sha1::new();
            sha1_checked::Digest::update(&mut sha1, format!("blob {size}\0"));
            sha1
        });
        Self { sha256: Sha256::new(), git_sha1 }
    }

    pub(crate) fn update(&mut self, bytes: &[u8]) {
        self.sha256.update(bytes);
        if let Some(sha1) = &mut self.git_sha1 {
            sha1_checked::Digest::update(sha1, bytes);
        }
    }

    pub(crate) fn finish(self) -> Digests {
        let sha1 = self.git_sha1.map(Sha1::try_finalize);
        Digests {
            sha256: self.sha256.finalize().into(),
            collision: sha1.as_ref().is_some_and(sha1_checked::CollisionResult::has_collision),
            git_sha1: sha1.map(|result| (*result.hash()).into()),
        }
    }
}

/// The digests of the bytes before the frontier up to which all are hashed.
#[derive(Clone)]
struct Running {
    epoch: u64,
    hashes: Hashes,
    /// Of all bytes before the block of the frontier: a damaged block is hashed again from here.
    at_block: Hashes,
    /// CRC of the bytes of the block before the frontier, kept in blocks with bytes of an earlier run.
    block_crc: u32,
}

impl Running {
    /// Appends `bytes`, which begin at `offset`.
    fn update(&mut self, mut offset: u64, mut bytes: &[u8]) {
        while !bytes.is_empty() {
            if offset.is_multiple_of(BLOCK_SIZE) {
                self.at_block = self.hashes.clone();
            }
            let room = usize::try_from(BLOCK_SIZE - offset % BLOCK_SIZE).unwrap_or(usize::MAX);
            let (piece, rest) = bytes.split_at(room.min(bytes.len()));
            self.hashes.update(piece);
            offset += piece.len() as u64;
            bytes = rest;
        }
    }

    /// Whether `bytes`, read from `offset` on, are those that were recorded.
    fn agrees(&mut self, offset: u64, bytes: &[u8], check: Check) -> bool {
        if check == Check::Needless {
            return true;
        }
        let before = if offset.is_multiple_of(BLOCK_SIZE) { 0 } else { self.block_crc };
        self.block_crc = combine(before, crc32c(bytes), bytes.len() as u64);
        match check {
            Check::Now(expected) => self.block_crc == expected,
            Check::Needless | Check::Later => true,
        }
    }
}

/// Hashes one blob. Whoever may hash next, the ledger decides: a write that brings the next bytes hashes them from memory while
/// they go to the disk; what came out of order or was there before is read back by a thread.
pub(crate) struct Hasher {
    ledger: Arc<Ledger>,
    placement: Arc<Placement>,
    journal: Arc<Journal>,
    recent: Recent,
    fresh: Hashes,
    /// Only locked by whom the ledger lets hash.
    running: Mutex<Running>,
}

impl Hasher {
    pub(crate) fn new(
        ledger: Arc<Ledger>,
        placement: Arc<Placement>,
        journal: Arc<Journal>,
        expected: &Digest,
    ) -> Self {
        let fresh = Hashes::new(expected, ledger.identity().size);
        let running = Running { epoch: 0, hashes: fresh.clone(), at_block: fresh.clone(), block_crc: 0 };
        let recent = Recent::default();
        Self { ledger, placement, journal, recent, fresh, running: Mutex::new(running) }
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

    fn begin(&self, offset: u64, bytes: &[u8]) -> Result<u64> {
        let range = offset..offset + bytes.len() as u64;
        let flight = self.ledger.begin(range.clone())?;
        // After the ledger, which lets nobody hash these bytes from here on, and before they change.
        self.recent.forget(&range);
        Ok(flight)
    }

    fn place(&self, offset: u64, bytes: &[u8]) -> (Result<()>, Vec<Segment>) {
        let outcome = self.placement.write_at(offset, bytes);
        let segments = if outcome.is_ok() { segments_of(offset, bytes) } else { Vec::new() };
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
        let mut running = self.running.lock();
        let mut next = self.at_epoch(&running, epoch);
        let hash = || next.update(offset, bytes);
        let (outcome, segments) = if bytes.len() < BESIDE { alone(hash, write) } else { beside(hash, write) };
        if self.ledger.end(flight, segments) {
            *running = next;
        }
        outcome
    }

    /// A copy of `running` to go on with under `epoch`: it replaces `running` only when what was hashed counts.
    fn at_epoch(&self, running: &Running, epoch: u64) -> Running {
        if running.epoch == epoch {
            return running.clone();
        }
        Running { epoch, hashes: self.fresh.clone(), at_block: self.fresh.clone(), block_crc: 0 }
    }

    fn run(&self) {
        let mut buffer = Vec::new();
        loop {
            match self.ledger.next_hash_step() {
                HashStep::Piece { epoch, range, check } => self.hash(epoch, &range, check, &mut buffer),
                HashStep::Finish(epoch) => {
                    let running = self.at_epoch(&self.running.lock(), epoch);
                    self.ledger.set_digests(epoch, running.hashes.finish());
                }
                HashStep::End => return,
            }
        }
    }

    fn hash(&self, epoch: u64, range: &Range<u64>, check: Check, buffer: &mut Vec<u8>) {
        let mut running = self.running.lock();
        let mut next = self.at_epoch(&running, epoch);
        if check == Check::Needless
            && let Some(bytes) = self.recent.take(range)
        {
            next.update(range.start, &bytes);
            if self.ledger.end_piece(epoch, range.start + bytes.len() as u64) {
                *running = next;
            }
            return;
        }
        buffer.resize(usize::try_from(range.end - range.start).unwrap_or(0), 0);
        // Bytes that cannot be read are as good as damaged: they are fetched again.
        let read = self.placement.read_at(range.start, buffer).is_ok();
        if read && next.agrees(range.start, buffer, check) {
            next.update(range.start, buffer);
            if self.ledger.end_piece(epoch, range.end) {
                *running = next;
            }
        } else if self.ledger.drop_block(epoch, range.start - range.start % BLOCK_SIZE) {
            next.hashes =
                if range.start.is_multiple_of(BLOCK_SIZE) { next.hashes } else { next.at_block.clone() };
            *running = next;
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
