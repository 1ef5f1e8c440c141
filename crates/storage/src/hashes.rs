//! Running digests of a blob's bytes from its beginning, and where hashing can go on from when bytes have changed.

use sha1_checked::Sha1;
use sha2::{Digest as _, Sha256};

use crate::block::crc32c;
use crate::digest::Digest;
use crate::layout::BLOCK_SIZE;
use crate::ledger::Check;
use crate::segments::combine;

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

/// Running digests of the bytes before some offset.
#[derive(Clone)]
pub(crate) struct Hashes {
    sha256: Sha256,
    /// Boxed: it is large, and rare.
    git_sha1: Option<Box<Sha1>>,
}

impl Hashes {
    /// For a file of `size` bytes of which `expected` is known.
    pub(crate) fn new(expected: &Digest, size: u64) -> Self {
        let git_sha1 = matches!(expected, Digest::GitSha1(_)).then(|| {
            let mut sha1 = Sha1::new();
            sha1_checked::Digest::update(&mut sha1, format!("blob {size}\0"));
            Box::new(sha1)
        });
        Self { sha256: Sha256::new(), git_sha1 }
    }

    pub(crate) fn update(&mut self, bytes: &[u8]) {
        self.sha256.update(bytes);
        if let Some(sha1) = &mut self.git_sha1 {
            sha1_checked::Digest::update(sha1.as_mut(), bytes);
        }
    }

    pub(crate) fn finish(self) -> Digests {
        let sha1 = self.git_sha1.map(|sha1| sha1.try_finalize());
        Digests {
            sha256: self.sha256.finalize().into(),
            collision: sha1.as_ref().is_some_and(sha1_checked::CollisionResult::has_collision),
            git_sha1: sha1.map(|result| (*result.hash()).into()),
        }
    }
}

/// The digests of the bytes before the frontier up to which all are hashed.
#[derive(Clone)]
pub(crate) struct Running {
    epoch: u64,
    pub(crate) hashes: Hashes,
    /// CRC of the bytes of the block before the frontier, kept in blocks with bytes of an earlier run.
    block_crc: u32,
    /// The digests at the beginnings of blocks that were reached and are not among the marks yet.
    reached: Vec<Hashes>,
}

/// What is hashed.
pub(crate) struct Hashed {
    running: Running,
    /// The digests of the bytes before each block, up to the frontier: from there hashing goes on when bytes have changed.
    marks: Vec<Hashes>,
}

impl Hashed {
    pub(crate) fn new(fresh: Hashes) -> Self {
        let running = Running { epoch: 0, hashes: fresh.clone(), block_crc: 0, reached: Vec::new() };
        Self { running, marks: vec![fresh] }
    }

    /// A copy of what is hashed before `offset`, to go on with under `epoch`: [`Hashed::count`] takes it when it counts. Another
    /// epoch than before begins with the block that begins at `offset`.
    pub(crate) fn at(&mut self, epoch: u64, offset: u64) -> Running {
        if self.running.epoch != epoch {
            self.go_back(epoch, offset);
        }
        self.running.clone()
    }

    /// The bytes from the block at `offset` on are to be hashed anew.
    pub(crate) fn go_back(&mut self, epoch: u64, offset: u64) {
        let block = usize::try_from(offset / BLOCK_SIZE).unwrap_or(usize::MAX);
        self.marks.truncate(block.saturating_add(1));
        if let Some(hashes) = self.marks.last().cloned() {
            self.running = Running { epoch, hashes, block_crc: 0, reached: Vec::new() };
        }
    }

    pub(crate) fn count(&mut self, mut next: Running) {
        self.marks.append(&mut next.reached);
        self.running = next;
    }
}

impl Running {
    /// Appends `bytes`, which begin at `offset`.
    pub(crate) fn update(&mut self, mut offset: u64, mut bytes: &[u8]) {
        while !bytes.is_empty() {
            let room = usize::try_from(BLOCK_SIZE - offset % BLOCK_SIZE).unwrap_or(usize::MAX);
            let (piece, rest) = bytes.split_at(room.min(bytes.len()));
            self.hashes.update(piece);
            offset += piece.len() as u64;
            bytes = rest;
            if offset.is_multiple_of(BLOCK_SIZE) {
                self.reached.push(self.hashes.clone());
            }
        }
    }

    /// Whether `bytes`, read from `offset` on, are those that were recorded.
    pub(crate) fn agrees(&mut self, offset: u64, bytes: &[u8], check: Check) -> bool {
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
