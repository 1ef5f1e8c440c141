//! Checking stored bytes against the checksums recorded when they were written.

use std::ops::Range;
use std::sync::atomic::{AtomicU64, Ordering};

use crc_fast::{CrcAlgorithm, checksum};

use crate::digest::BlobName;
use crate::error::{Result, StorageError};
use crate::layout::BLOCK_SIZE;
use crate::reader::BlobReader;
use crate::record::Segment;

/// The recorded checksums of a blob, and which blocks have been checked.
pub(crate) struct Checksums {
    size: u64,
    segments: Vec<Segment>,
    /// One bit per block.
    checked: Box<[AtomicU64]>,
}

impl Checksums {
    pub(crate) fn new(size: u64, segments: Vec<Segment>) -> Self {
        let blocks = size.div_ceil(BLOCK_SIZE);
        let checked = (0..blocks.div_ceil(64)).map(|_| AtomicU64::new(0)).collect();
        Self { size, segments, checked }
    }

    /// Checks the blocks that `range` touches and that were not checked before.
    pub(crate) fn check(&self, reader: &BlobReader, range: Range<u64>) -> Result<()> {
        if range.is_empty() {
            return Ok(());
        }
        let mut buffer = Vec::new();
        for block in range.start / BLOCK_SIZE..range.end.div_ceil(BLOCK_SIZE) {
            if !self.is_checked(block) {
                self.check_block(reader, block, &mut buffer)?;
                self.set_checked(block);
            }
        }
        Ok(())
    }

    fn check_block(&self, reader: &BlobReader, block: u64, buffer: &mut Vec<u8>) -> Result<()> {
        let end = self.size.min((block + 1) * BLOCK_SIZE);
        let first = self.segments.partition_point(|segment| segment.block() < block);
        let mut at = block * BLOCK_SIZE;
        for segment in self.segments.iter().skip(first).take_while(|segment| segment.block() == block) {
            if segment.start != at {
                break;
            }
            buffer.resize(reader.address_length(u64::from(segment.length))?, 0);
            reader.read_into(segment.start, buffer)?;
            compare(reader, segment, crc32c(buffer))?;
            at = segment.end();
        }
        if at == end {
            return Ok(());
        }
        Err(StorageError::corrupt(reader.describe(), format!("no checksum is recorded at offset {at}")))
    }

    fn is_checked(&self, block: u64) -> bool {
        self.word(block).is_some_and(|word| word.load(Ordering::Relaxed) & bit(block) != 0)
    }

    fn set_checked(&self, block: u64) {
        if let Some(word) = self.word(block) {
            word.fetch_or(bit(block), Ordering::Relaxed);
        }
    }

    fn word(&self, block: u64) -> Option<&AtomicU64> {
        self.checked.get(usize::try_from(block / 64).ok()?)
    }
}

fn bit(block: u64) -> u64 {
    1 << (block % 64)
}

/// CRC32C (Castagnoli, the iSCSI polynomial) of `bytes`.
pub(crate) fn crc32c(bytes: &[u8]) -> u32 {
    u32::try_from(checksum(CrcAlgorithm::Crc32Iscsi, bytes)).unwrap_or_default()
}

fn compare(reader: &BlobReader, segment: &Segment, actual: u32) -> Result<()> {
    if actual == segment.crc {
        return Ok(());
    }
    let Segment { start, length, crc } = segment;
    Err(StorageError::corrupt(
        reader.describe(),
        format!("the {length} bytes at offset {start} have CRC32C {actual:08x}, expected {crc:08x}"),
    ))
}

/// Checks the bytes of an inline blob against its name.
pub(crate) fn check_inline(name: &BlobName, bytes: &[u8]) -> Result<()> {
    let actual = BlobName::of(bytes);
    if actual == *name {
        return Ok(());
    }
    let reason = format!("the {} bytes at offset 0 have sha256 {actual}, expected {name}", bytes.len());
    Err(StorageError::corrupt(format!("blob {name}"), reason))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_checksum_is_the_published_check_value() {
        assert_eq!(crc32c(b"123456789"), 0xe306_9283);
    }

    #[test]
    fn damaged_inline_bytes_name_offset_and_both_digests() {
        let name = BlobName::of(b"right");
        check_inline(&name, b"right").unwrap();
        let message = check_inline(&name, b"wrong").unwrap_err().to_string();
        for part in [name.to_hex(), BlobName::of(b"wrong").to_hex(), "offset 0".to_owned()] {
            assert!(message.contains(&part), "{message}");
        }
    }
}
