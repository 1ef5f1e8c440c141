//! Complete blobs under a check: opened without counting as used, and read block by block.

use std::ops::Range;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};

use crate::block::check_bytes;
use crate::budget::{Budget, Permit};
use crate::digest::{BlobName, Incarnation};
use crate::error::{Result, StorageError};
use crate::layout::BLOCK_SIZE;
use crate::pin::PinnedChunks;
use crate::platform::{self, AddressRange, BorrowedFile, Piece};
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
    /// All its bytes, mapped when the first block is looked at; none where they cannot be.
    shown: OnceLock<Option<Shown>>,
    /// Whether a block had to be read from the disk.
    reads_disk: AtomicBool,
    store: Arc<Store>,
}

/// A mapping, which takes its part of those that a process may have.
struct Shown {
    range: AddressRange,
    _permit: Permit,
}

impl Shown {
    fn map(file: BorrowedFile<'_>, pieces: &[Piece]) -> Option<Self> {
        let permit = Budget::process().take(pieces.len() as u64, String::new).ok()?;
        let range = AddressRange::map(file, pieces).ok()?;
        Some(Self { range, _permit: permit })
    }
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
                    let (store, reads_disk) = (Arc::clone(self), AtomicBool::new(false));
                    let shown = OnceLock::new();
                    return Ok(Found::Here(Inspection {
                        name: *name,
                        record,
                        content,
                        shown,
                        reads_disk,
                        store,
                    }));
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
        let range = self.range(piece);
        let resident = self.resident(chunks, &range)?;
        let bytes: &[u8] = if let Some(bytes) = resident {
            bytes
        } else {
            buffer.resize(usize::try_from(range.end - range.start).unwrap_or_default(), 0);
            match self.read(chunks, range.start, buffer) {
                Err(StorageError::Io { .. }) => return Ok(Some(range)),
                read => read?,
            }
            buffer
        };
        let damage = check_bytes(self.record.size, &self.record.segments, piece, bytes)?;
        Ok(damage.map(|damage| damage.range))
    }

    /// The bytes of a block where they lie in memory: a copy takes longer than the sum. Once a block was not there, what the others
    /// have in memory may have come with it, and is read so that it does not stay.
    fn resident(&self, chunks: &PinnedChunks, range: &Range<u64>) -> Result<Option<&[u8]>> {
        if self.reads_disk.load(Ordering::Relaxed) {
            return Ok(None);
        }
        let file = self.store.chunks.data_file()?;
        let shown = self.shown.get_or_init(|| Shown::map(file, &chunks.pieces(0..self.record.size)));
        let place = |at| usize::try_from(at).ok();
        let bytes = shown.as_ref().zip(place(range.start).zip(place(range.end)));
        let bytes = bytes.and_then(|(shown, (start, end))| shown.range.bytes().get(start..end));
        let resident = bytes.filter(|bytes| platform::is_resident(bytes));
        self.reads_disk.fetch_or(resident.is_none(), Ordering::Relaxed);
        Ok(resident)
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
