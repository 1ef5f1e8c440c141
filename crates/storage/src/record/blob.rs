//! What M knows about one blob.

use std::ops::Range;

use rkyv::{Archive, Deserialize, Serialize};

use super::record;
use crate::layout::BLOCK_SIZE;

/// Where a blob's bytes are and whether all of them are there.
#[derive(Archive, Serialize, Deserialize, Clone, Copy, Debug, PartialEq, Eq)]
pub enum BlobState {
    /// Reserved in C; [`BlobRecord::segments`] says which bytes are durable.
    Partial,
    /// Complete in C, digest checked.
    Complete,
    /// Complete in M's `inline` table (files under 64 KiB).
    Inline,
}

/// A run of durable bytes within one 4 MiB block, and its CRC32C.
#[derive(Archive, Serialize, Deserialize, Clone, Copy, Debug, PartialEq, Eq)]
pub struct Segment {
    /// Offset of its first byte in the file.
    pub start: u64,
    /// Bytes.
    pub length: u32,
    /// CRC32C (Castagnoli) of these bytes.
    pub crc: u32,
}

impl Segment {
    /// Offset after its last byte.
    #[must_use]
    pub fn end(&self) -> u64 {
        self.start + u64::from(self.length)
    }

    /// Number of the block it lies in.
    #[must_use]
    pub fn block(&self) -> u64 {
        self.start / BLOCK_SIZE
    }
}

/// One blob: its incarnation, which of its bytes are durable, and their checksums.
#[derive(Archive, Serialize, Deserialize, Clone, Debug, PartialEq, Eq)]
pub struct BlobRecord {
    /// State.
    pub state: BlobState,
    /// Whole size in bytes.
    pub size: u64,
    /// Which reservation in C holds the bytes; zeros for an inline blob.
    pub incarnation: [u8; 16],
    /// Durable bytes, sorted and disjoint, no segment crossing a block; one per block once complete.
    pub segments: Vec<Segment>,
    /// True while the name stands for a git sha1 whose bytes are not all known.
    pub provisional: bool,
    /// Last time the blob was opened or written, milliseconds since 1970.
    pub last_use_ms: u64,
}
record!(BlobRecord, 1);

impl BlobRecord {
    /// Durable bytes.
    #[must_use]
    pub fn downloaded(&self) -> u64 {
        match self.state {
            BlobState::Partial => self.segments.iter().map(|s| u64::from(s.length)).sum(),
            BlobState::Complete | BlobState::Inline => self.size,
        }
    }

    /// Durable bytes as sorted, merged ranges.
    #[must_use]
    pub fn ranges(&self) -> Vec<Range<u64>> {
        let mut out: Vec<Range<u64>> = Vec::new();
        for segment in &self.segments {
            match out.last_mut() {
                Some(last) if last.end == segment.start => last.end = segment.end(),
                _ => out.push(segment.start..segment.end()),
            }
        }
        out
    }
}
