//! Repairing a written blob whose bytes are not what was expected, with bytes that were fetched again.

use crate::block::BlockCheck;
use crate::error::Result;
use crate::hasher::Hasher;
use crate::layout::BLOCK_SIZE;
use crate::writer::{BlobWriter, refused};

impl BlobWriter {
    /// Compares bytes that were fetched again with those stored at `offset`, and puts them in their place where they differ. Hashing
    /// goes on from there; [`BlobWriter::when_right`] tells when nothing more need be compared. A MiB at once is plenty.
    ///
    /// # Errors
    /// As [`BlobWriter::write`].
    pub fn compare(&self, offset: u64, mut bytes: &[u8]) -> Result<()> {
        let Some(work) = &self.inner.work else {
            return Err(refused(*self.name(), "it is complete already"));
        };
        let mut at = offset;
        while !bytes.is_empty() {
            let room = usize::try_from(BLOCK_SIZE - at % BLOCK_SIZE).unwrap_or(usize::MAX);
            let (piece, rest) = bytes.split_at(room.min(bytes.len()));
            self.inner.store.check_process()?;
            // What is right stays, whatever comes now.
            if !work.hasher.is_right() && !work.hasher.has(at, piece) {
                self.admitted(at, piece.len(), |hasher| hasher.replace(at, piece))?;
            }
            at += piece.len() as u64;
            bytes = rest;
        }
        Ok(())
    }

    /// Whether all bytes are there and hashed, and are what was expected: [`BlobWriter::finish`] does not wait then.
    #[must_use]
    pub fn is_right(&self) -> bool {
        self.inner.work.as_ref().is_none_or(|work| work.hasher.is_right())
    }

    /// Calls `tell` once all bytes are as [`BlobWriter::is_right`] says: on this thread when they are, else on the one that hashes.
    /// Of several calls the last one counts.
    pub fn when_right(&self, tell: impl FnOnce() + Send + 'static) {
        let Some(work) = &self.inner.work else { return tell() };
        *work.hasher.awaited.lock() = Some(Box::new(tell));
        work.hasher.tell_if_right();
    }

    /// Drops all bytes: nobody can say which of them are right.
    ///
    /// # Errors
    /// [`crate::StorageError::InvalidArgument`] once a finish runs or has succeeded; as [`BlobWriter::checkpoint`].
    pub fn discard(&self) -> Result<()> {
        let Some(work) = &self.inner.work else {
            return Err(refused(*self.name(), "it is complete"));
        };
        self.inner.store.check_process()?;
        work.ledger.drop_all()?;
        work.journal.clear();
        self.inner.store.syncer.checkpoint()
    }
}

impl Hasher {
    fn is_right(&self) -> bool {
        self.ledger.digests().is_some_and(|digests| digests.satisfy(&self.expected))
    }

    /// To be called when digests were found.
    pub(crate) fn tell_if_right(&self) {
        if self.is_right() {
            let awaited = self.awaited.lock().take();
            if let Some(tell) = awaited {
                tell();
            }
        }
    }

    /// Whether the disk has `bytes` at `offset`.
    fn has(&self, offset: u64, bytes: &[u8]) -> bool {
        let mut stored = vec![0; bytes.len()];
        // Bytes that cannot be read are as good as others.
        self.placement.read_at(offset, &mut stored).is_ok() && stored == bytes
    }

    /// Writes `bytes` in the place of others inside one block, the rest of which stays and counts on.
    fn replace(&self, offset: u64, bytes: &[u8]) -> Result<()> {
        // Two at once in one block would each take the other's bytes for the old ones.
        let _turn = self.replacing.lock();
        let start = offset - offset % BLOCK_SIZE;
        let end = self.ledger.identity().size.min(start + BLOCK_SIZE);
        let mut block = vec![0; usize::try_from(end - start).unwrap_or(usize::MAX)];
        self.placement.read_at(start, &mut block)?;
        let place = block.iter_mut().skip(usize::try_from(offset - start).unwrap_or(usize::MAX));
        for (to, from) in place.zip(bytes) {
            *to = *from;
        }
        let flight = self.begin(start, &block)?;
        let (outcome, segments) = self.place_in(start, &block, offset, bytes);
        self.ledger.end(flight, segments);
        outcome
    }

    /// Drops the blocks that the disk gives back otherwise than they were written; true when there are any. Looks at no more of
    /// them once the ledger is interrupted.
    pub(crate) fn drop_damaged(&self) -> bool {
        let (segments, size) = (self.ledger.segments(), self.ledger.identity().size);
        let read = |offset, bytes: &mut [u8]| self.placement.read_at(offset, bytes);
        let check = BlockCheck { size, segments: &segments, read };
        let mut buffer = Vec::new();
        let damaged = |block: &u64| !matches!(check.check(*block, &mut buffer), Ok(None));
        let blocks = (0..size.div_ceil(BLOCK_SIZE)).take_while(|_| !self.ledger.is_interrupted());
        let damaged: Vec<u64> = blocks.filter(damaged).collect();
        for block in &damaged {
            self.ledger.drop_range(&(block * BLOCK_SIZE..size.min((block + 1) * BLOCK_SIZE)));
        }
        !damaged.is_empty()
    }
}
