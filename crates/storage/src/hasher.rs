//! Hashes a blob while it is written: one thread per writer reads behind the frontier up to which all bytes are there.

use std::ops::Range;
use std::sync::Arc;
use std::thread::{Builder, JoinHandle};

use sha1_checked::Sha1;
use sha2::{Digest as _, Sha256};

use crate::digest::Digest;
use crate::error::{Result, StorageError};
use crate::layout::BLOCK_SIZE;
use crate::ledger::{Digests, HashStep, Ledger};
use crate::placement::Placement;
use crate::segments::combine;
use crate::verify::crc32c;

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

/// Starts the thread that hashes the bytes of `ledger`; it ends with [`Ledger::end_hashing`].
pub(crate) fn start(
    ledger: Arc<Ledger>,
    placement: Arc<Placement>,
    expected: Digest,
) -> Result<JoinHandle<()>> {
    let name = format!("hash-{:.8}", ledger.identity().name.to_hex());
    Builder::new().name(name).spawn(move || Hasher::new(&ledger, &placement, &expected).run()).map_err(
        |source| StorageError::Io {
            action: "start a hashing thread",
            path: std::path::PathBuf::new(),
            source,
        },
    )
}

struct Hasher<'a> {
    ledger: &'a Ledger,
    placement: &'a Placement,
    fresh: Hashes,
    /// Of all bytes before `position`.
    hashes: Hashes,
    /// Of all bytes before the block of `position`: a damaged block is hashed again from here.
    at_block: Hashes,
    /// CRC of the bytes of the block before `position`.
    block_crc: u32,
    position: u64,
    epoch: u64,
    buffer: Vec<u8>,
}

impl<'a> Hasher<'a> {
    fn new(ledger: &'a Ledger, placement: &'a Placement, expected: &Digest) -> Self {
        let fresh = Hashes::new(expected, ledger.identity().size);
        Self {
            ledger,
            placement,
            hashes: fresh.clone(),
            at_block: fresh.clone(),
            fresh,
            block_crc: 0,
            position: 0,
            epoch: 0,
            buffer: Vec::new(),
        }
    }

    fn run(mut self) {
        loop {
            match self.ledger.next_hash_step(self.epoch, self.position) {
                HashStep::Restart(epoch) => self.restart(epoch),
                HashStep::Piece { range, check } => self.hash(&range, check),
                HashStep::Finish => self.ledger.set_digests(self.epoch, self.hashes.clone().finish()),
                HashStep::End => return,
            }
        }
    }

    fn restart(&mut self, epoch: u64) {
        self.epoch = epoch;
        self.position = 0;
        self.hashes = self.fresh.clone();
    }

    fn hash(&mut self, range: &Range<u64>, check: Option<u32>) {
        if range.start.is_multiple_of(BLOCK_SIZE) {
            self.at_block = self.hashes.clone();
            self.block_crc = 0;
        }
        let length = range.end - range.start;
        self.buffer.resize(usize::try_from(length).unwrap_or(0), 0);
        // Bytes that cannot be read are as good as damaged: they are fetched again.
        let read = self.placement.read_at(range.start, &mut self.buffer).is_ok();
        let block_crc = combine(self.block_crc, crc32c(&self.buffer), length);
        if !self.ledger.is_epoch(self.epoch) {
            return;
        }
        if read && check.is_none_or(|expected| expected == block_crc) {
            self.hashes.update(&self.buffer);
            self.block_crc = block_crc;
            self.position = range.end;
        } else {
            self.drop_block(range.start - range.start % BLOCK_SIZE);
        }
    }

    fn drop_block(&mut self, start: u64) {
        self.hashes = self.at_block.clone();
        self.position = start;
        self.ledger.drop_block(self.epoch, start);
    }
}
