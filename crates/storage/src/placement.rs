//! Where a blob's bytes lie in C's data file, pinned: reading and writing them by offset in the file.

use std::ops::Range;
use std::sync::Arc;

use parking_lot::Mutex;

use crate::chunk::{SEAL_OFFSET, seal};
use crate::digest::Incarnation;
use crate::environment::ChunkEnvironment;
use crate::error::{Result, StorageError};
use crate::layout::{CHUNK_SIZE, PAGE_HEADER};
use crate::platform::{self, BorrowedFile};
use crate::raw::PageRun;
use crate::snapshot::Snapshot;

/// The page runs of one incarnation, and the snapshot they were found in.
pub(crate) struct Placement {
    runs: Vec<PageRun>,
    snapshot: Mutex<Snapshot>,
    environment: Arc<ChunkEnvironment>,
    incarnation: Incarnation,
    size: u64,
}

impl Placement {
    /// Finds the chunks of an incarnation in the newest state of C; `None` when one is missing.
    pub(crate) fn find(
        environment: &Arc<ChunkEnvironment>,
        incarnation: Incarnation,
        size: u64,
    ) -> Result<Option<Self>> {
        let snapshot = Snapshot::begin(Arc::clone(environment))?;
        let Some(runs) = snapshot.runs(&incarnation, size)? else { return Ok(None) };
        let environment = Arc::clone(environment);
        Ok(Some(Self { runs, snapshot: Mutex::new(snapshot), environment, incarnation, size }))
    }

    /// Pins the newest state instead of the old one, so that a long download does not keep the pages of everything deleted
    /// since it began. The runs must be where they were: the lease forbids moving them.
    pub(crate) fn refresh(&self) -> Result<()> {
        let newest = Snapshot::begin(Arc::clone(&self.environment))?;
        if newest.runs(&self.incarnation, self.size)?.as_ref() != Some(&self.runs) {
            return Err(StorageError::corrupt("a blob being written", "its chunks were moved or deleted"));
        }
        *self.snapshot.lock() = newest;
        Ok(())
    }

    /// Writes `bytes` at `offset` of the blob, over chunk seams.
    pub(crate) fn write_at(&self, offset: u64, mut bytes: &[u8]) -> Result<()> {
        let file = self.file()?;
        for (at, length) in self.pieces(offset..offset + bytes.len() as u64)? {
            let (piece, rest) = bytes.split_at(length.min(bytes.len()));
            platform::write_at(file, piece, at)
                .map_err(|error| self.failed("write downloaded bytes", error))?;
            bytes = rest;
        }
        Ok(())
    }

    /// Fills `buffer` from `offset` of the blob, over chunk seams.
    pub(crate) fn read_at(&self, offset: u64, mut buffer: &mut [u8]) -> Result<()> {
        let file = self.file()?;
        for (at, length) in self.pieces(offset..offset + buffer.len() as u64)? {
            let (piece, rest) = buffer.split_at_mut(length.min(buffer.len()));
            platform::read_at(file, piece, at).map_err(|error| self.failed("read stored bytes", error))?;
            buffer = rest;
        }
        Ok(())
    }

    /// Writes the sha256 into the padding of every chunk, so that M can be rebuilt from C.
    pub(crate) fn seal(&self, sha256: &[u8; 32]) -> Result<()> {
        let (file, bytes) = (self.file()?, seal(sha256));
        for run in &self.runs {
            let at = run.offset() + (PAGE_HEADER + SEAL_OFFSET) as u64;
            platform::write_at(file, &bytes, at).map_err(|error| self.failed("seal a chunk", error))?;
        }
        Ok(())
    }

    /// Offset in the data file and length of the parts of a range.
    fn pieces(&self, range: Range<u64>) -> Result<Vec<(u64, usize)>> {
        let mut out = Vec::new();
        let mut at = range.start;
        while at < range.end {
            let (n, within) = (at / CHUNK_SIZE, at % CHUNK_SIZE);
            let run = usize::try_from(n).ok().and_then(|n| self.runs.get(n));
            let run =
                run.ok_or_else(|| StorageError::corrupt("a blob being written", "a chunk is missing"))?;
            let length = (CHUNK_SIZE - within).min(range.end - at);
            out.push((run.payload_offset() + within, usize::try_from(length).unwrap_or(usize::MAX)));
            at += length;
        }
        Ok(out)
    }

    fn file(&self) -> Result<BorrowedFile<'_>> {
        let file = self.environment.environment().data_file();
        file.map_err(|error| StorageError::database("open the data file", self.environment.path(), error))
    }

    fn failed(&self, action: &'static str, error: std::io::Error) -> StorageError {
        StorageError::io(action, &self.environment.data_path(), error)
    }
}
