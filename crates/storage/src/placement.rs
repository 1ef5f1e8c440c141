//! Where the bytes of a blob being written lie in C's data file, pinned: reading and writing them by offset in the blob.

use std::fs::File;
use std::ops::Range;
use std::sync::Arc;

use crate::chunk::{SEAL_OFFSET, seal};
use crate::digest::Incarnation;
use crate::environment::ChunkEnvironment;
use crate::error::{Result, StorageError};
use crate::export::cannot_share;
use crate::layout::PAGE_HEADER;
use crate::pin::PinnedChunks;
use crate::platform::{self, BorrowedFile};
use crate::snapshot::Snapshot;

/// The pinned chunks of one reservation. They were looked up in C and checked: offsets are never stored.
pub(crate) struct Placement {
    chunks: PinnedChunks,
    environment: Arc<ChunkEnvironment>,
}

impl Placement {
    /// Finds the chunks of an incarnation in the newest state of C; `None` when one is missing.
    pub(crate) fn find(
        environment: &Arc<ChunkEnvironment>,
        incarnation: Incarnation,
        size: u64,
    ) -> Result<Option<Self>> {
        let pin = Arc::new(Snapshot::begin(Arc::clone(environment))?);
        let chunks = PinnedChunks::find(pin, incarnation, size)?;
        Ok(chunks.map(|chunks| Self { chunks, environment: Arc::clone(environment) }))
    }

    /// Pins `newest` instead of the old state, so that a long download does not keep the pages of everything deleted since it
    /// began. False when that was not possible, and then the old pin stays.
    pub(crate) fn refresh(&self, newest: &Arc<Snapshot>) -> Result<bool> {
        self.chunks.refresh(newest)
    }

    /// Writes `bytes` at `offset` of the blob, over chunk seams.
    pub(crate) fn write_at(&self, offset: u64, mut bytes: &[u8]) -> Result<()> {
        let file = self.file()?;
        for (at, length) in self.pieces(offset..offset + bytes.len() as u64) {
            let (piece, rest) = bytes.split_at(length.min(bytes.len()));
            platform::write_at(file, piece, at)
                .map_err(|error| self.failed("write downloaded bytes", error))?;
            bytes = rest;
        }
        Ok(())
    }

    /// Makes `length` bytes at `offset` of the blob share the disk blocks of those at `offset` of `source`; false where that is
    /// not possible. Both are multiples of 64 KiB.
    pub(crate) fn share_at(&self, offset: u64, length: u64, source: &File) -> Result<bool> {
        let (file, mut at) = (self.file()?, offset);
        for (place, length) in self.pieces(offset..offset + length) {
            match platform::clone_range(platform::borrow(source), at, file, place, length as u64) {
                Ok(()) => at += length as u64,
                Err(error) if cannot_share(&error) => return Ok(false),
                Err(error) => return Err(self.failed("share the bytes of a file", error)),
            }
        }
        Ok(true)
    }

    /// Fills `buffer` from `offset` of the blob, over chunk seams.
    pub(crate) fn read_at(&self, offset: u64, mut buffer: &mut [u8]) -> Result<()> {
        let file = self.file()?;
        for (at, length) in self.pieces(offset..offset + buffer.len() as u64) {
            let (piece, rest) = buffer.split_at_mut(length.min(buffer.len()));
            platform::read_at(file, piece, at).map_err(|error| self.failed("read stored bytes", error))?;
            buffer = rest;
        }
        Ok(())
    }

    /// Writes the sha256 into the padding of every chunk, so that M can be rebuilt from C.
    pub(crate) fn seal(&self, sha256: &[u8; 32]) -> Result<()> {
        let (file, bytes) = (self.file()?, seal(sha256));
        for run in self.chunks.runs() {
            platform::write_at(file, &bytes, run.offset() + (PAGE_HEADER + SEAL_OFFSET) as u64)
                .map_err(|error| self.failed("seal a chunk", error))?;
        }
        Ok(())
    }

    /// Offset in the data file and length of the parts of a range of the blob.
    pub(crate) fn pieces(&self, range: Range<u64>) -> impl Iterator<Item = (u64, usize)> {
        let pieces = self.chunks.pieces(range).into_iter();
        pieces.map(|piece| (piece.offset, usize::try_from(piece.length).unwrap_or(usize::MAX)))
    }

    fn file(&self) -> Result<BorrowedFile<'_>> {
        self.environment.data_file()
    }

    fn failed(&self, action: &'static str, error: std::io::Error) -> StorageError {
        StorageError::io(action, &self.environment.data_path(), error)
    }
}
