//! Complete blobs under a check: opened without counting as used, and read block by block.

use std::ops::Range;
use std::sync::Arc;

use crate::block::BlockCheck;
use crate::digest::{BlobName, Incarnation};
use crate::error::{Result, StorageError};
use crate::layout::BLOCK_SIZE;
use crate::pin::PinnedChunks;
use crate::platform;
use crate::record::{BlobRecord, BlobState};
use crate::store::Store;
use crate::verify::check_inline;

/// How often a look-up begins again when a blob is replaced between reading M and C.
const ATTEMPTS: usize = 3;

/// A complete blob, pinned.
pub(crate) struct Inspection {
    name: BlobName,
    record: BlobRecord,
    content: Content,
    store: Arc<Store>,
}

enum Content {
    Inline(Vec<u8>),
    Chunks(PinnedChunks),
}

/// What there is of a blob.
pub(crate) enum Found {
    /// It is not complete here.
    Absent,
    /// Its record is here, and bytes of it are not.
    Lost(BlobRecord),
    /// Its record is damaged, or with a record the place of a chunk.
    Unreadable {
        record: Option<BlobRecord>,
        reason: String,
    },
    Here(Inspection),
}

impl Store {
    /// Opens a blob for a check: M, then C, begun anew when another process replaces it in between.
    pub(crate) fn inspect(self: &Arc<Self>, name: &BlobName) -> Result<Found> {
        let mut lost = None;
        for _ in 0..ATTEMPTS {
            let (record, inline) = match self.find(name) {
                Ok(Some(found)) => found,
                Ok(None) => return Ok(Found::Absent),
                Err(error) => return unreadable(None, error),
            };
            let content = if record.state == BlobState::Inline {
                Ok(inline.map(Content::Inline))
            } else {
                let chunks = self.readers.find(self, Incarnation(record.incarnation), record.size);
                chunks.map(|chunks| chunks.map(Content::Chunks))
            };
            match content {
                Ok(Some(content)) => {
                    let store = Arc::clone(self);
                    return Ok(Found::Here(Inspection { name: *name, record, content, store }));
                }
                Ok(None) => lost = Some(record),
                Err(error) => return unreadable(Some(record), error),
            }
        }
        Ok(lost.map_or(Found::Absent, Found::Lost))
    }
}

fn unreadable(record: Option<BlobRecord>, error: StorageError) -> Result<Found> {
    match error {
        StorageError::Corrupt { reason, .. } => Ok(Found::Unreadable { record, reason }),
        other => Err(other),
    }
}

impl Inspection {
    /// Bytes of the blob.
    pub(crate) fn size(&self) -> u64 {
        self.record.size
    }

    /// Pieces it is checked in: its blocks; a blob stored inline is one.
    pub(crate) fn pieces(&self) -> u64 {
        match self.content {
            Content::Inline(_) => 1,
            Content::Chunks(_) => self.record.size.div_ceil(BLOCK_SIZE).max(1),
        }
    }

    /// Bytes of a piece.
    pub(crate) fn range(&self, piece: u64) -> Range<u64> {
        match self.content {
            Content::Inline(_) => 0..self.record.size,
            Content::Chunks(_) => piece * BLOCK_SIZE..self.record.size.min((piece + 1) * BLOCK_SIZE),
        }
    }

    /// The damaged bytes of a piece. Bytes that cannot be read are as good as damaged.
    pub(crate) fn check(&self, piece: u64, buffer: &mut Vec<u8>) -> Result<Option<Range<u64>>> {
        let chunks = match &self.content {
            Content::Inline(bytes) => {
                let right = bytes.len() as u64 == self.record.size && check_inline(&self.name, bytes).is_ok();
                return Ok((!right).then(|| self.range(piece)));
            }
            Content::Chunks(chunks) => chunks,
        };
        let read = |offset, bytes: &mut [u8]| self.read(chunks, offset, bytes);
        let check = BlockCheck { size: self.record.size, segments: &self.record.segments, read };
        match check.check(piece, buffer) {
            Ok(damage) => Ok(damage.map(|damage| damage.range)),
            Err(StorageError::Io { .. }) => Ok(Some(self.range(piece))),
            Err(error) => Err(error),
        }
    }

    fn read(&self, chunks: &PinnedChunks, offset: u64, mut buffer: &mut [u8]) -> Result<()> {
        let file = self.store.chunks.data_file()?;
        for piece in chunks.pieces(offset..offset + buffer.len() as u64) {
            let length = usize::try_from(piece.length).unwrap_or(usize::MAX);
            let (part, rest) = buffer.split_at_mut(length.min(buffer.len()));
            platform::read_once_at(file, part, piece.offset).map_err(|source| StorageError::Io {
                action: "read stored bytes",
                path: self.store.chunks.data_path(),
                source,
            })?;
            buffer = rest;
        }
        Ok(())
    }
}
