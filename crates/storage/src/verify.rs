//! Checking stored bytes against the checksums recorded when they were written.

use std::ops::Range;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use crate::block::BlockCheck;
use crate::digest::BlobName;
use crate::error::{Result, StorageError};
use crate::layout::BLOCK_SIZE;
use crate::mutex::Mutex;
use crate::reader::BlobReader;
use crate::record::Segment;
use crate::workers::together;

/// Blocks worth a thread of their own (16 MiB): starting one takes as long as summing a tenth of a block.
const BLOCKS_PER_THREAD: usize = 4;

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

    /// Checks the blocks that `range` touches and that were not checked before, on a few threads when they are many. Of several
    /// damaged blocks the first is told.
    pub(crate) fn check(&self, reader: &BlobReader, range: Range<u64>) -> Result<()> {
        if range.is_empty() {
            return Ok(());
        }
        let blocks = range.start / BLOCK_SIZE..range.end.div_ceil(BLOCK_SIZE);
        let blocks: Vec<u64> = blocks.filter(|block| !self.is_checked(*block)).collect();
        let (next, worst) = (AtomicUsize::new(0), Mutex::new(None));
        together(blocks.len().div_ceil(BLOCKS_PER_THREAD), || {
            let mut buffer = Vec::new();
            while let Some(block) = blocks.get(next.fetch_add(1, Ordering::Relaxed)) {
                if let Err(error) = self.check_block(reader, *block, &mut buffer) {
                    keep_first(&worst, *block, error);
                    // The blocks before this one are taken already.
                    return;
                }
                self.set_checked(*block);
            }
        });
        let worst = worst.lock().take();
        worst.map_or(Ok(()), |(_, error)| Err(error))
    }

    fn check_block(&self, reader: &BlobReader, block: u64, buffer: &mut Vec<u8>) -> Result<()> {
        let read = |offset, bytes: &mut [u8]| reader.read_into(offset, bytes);
        let check = BlockCheck { size: self.size, segments: &self.segments, read };
        match check.check(block, buffer)? {
            None => Ok(()),
            Some(damage) => Err(StorageError::corrupt(reader.describe(), damage.reason)),
        }
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

fn keep_first(worst: &Mutex<Option<(u64, StorageError)>>, block: u64, error: StorageError) {
    let mut worst = worst.lock();
    if worst.as_ref().is_none_or(|(other, _)| block < *other) {
        *worst = Some((block, error));
    }
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
    fn damaged_inline_bytes_name_offset_and_both_digests() {
        let name = BlobName::of(b"right");
        check_inline(&name, b"right").unwrap();
        let message = check_inline(&name, b"wrong").unwrap_err().to_string();
        for part in [name.to_hex(), BlobName::of(b"wrong").to_hex(), "offset 0".to_owned()] {
            assert!(message.contains(&part), "{message}");
        }
    }
}
