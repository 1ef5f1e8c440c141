//! One 4 MiB block of a blob against the checksums recorded when it was written.

use std::ops::Range;

use crc_fast::{CrcAlgorithm, Digest, checksum};

use crate::error::Result;
use crate::layout::BLOCK_SIZE;
use crate::record::Segment;

/// Bytes read at once (256 KiB): they are still in the processor's cache when they are summed.
const PIECE: u64 = 256 << 10;

/// Bytes that are not those that were recorded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Damage {
    /// Which bytes of the blob.
    pub(crate) range: Range<u64>,
    /// What does not fit.
    pub(crate) reason: String,
}

/// Compares blocks of one blob.
pub(crate) struct BlockCheck<'a, R> {
    /// Bytes of the blob.
    pub(crate) size: u64,
    /// Its recorded checksums.
    pub(crate) segments: &'a [Segment],
    /// Fills a buffer with the blob's bytes from an offset on.
    pub(crate) read: R,
}

impl<R: Fn(u64, &mut [u8]) -> Result<()>> BlockCheck<'_, R> {
    /// What is wrong with a block; `None` when nothing is.
    pub(crate) fn check(&self, block: u64, buffer: &mut Vec<u8>) -> Result<Option<Damage>> {
        compare(self.size, self.segments, block, |segment| self.sum(segment, buffer))
    }

    fn sum(&self, segment: &Segment, buffer: &mut Vec<u8>) -> Result<u32> {
        let mut digest = Digest::new(CrcAlgorithm::Crc32Iscsi);
        let mut at = segment.start;
        while at < segment.end() {
            let length = PIECE.min(segment.end() - at);
            buffer.resize(usize::try_from(length).unwrap_or_default(), 0);
            (self.read)(at, buffer)?;
            digest.update(buffer);
            at += length;
        }
        Ok(narrowed(digest.finalize()))
    }
}

/// What is wrong with a block of a blob whose bytes are all in memory; `None` when nothing is.
pub(crate) fn check_bytes(
    size: u64,
    segments: &[Segment],
    block: u64,
    bytes: &[u8],
) -> Result<Option<Damage>> {
    compare(size, segments, block, |segment| {
        let start = usize::try_from(segment.start % BLOCK_SIZE).unwrap_or(usize::MAX);
        let length = usize::try_from(segment.length).unwrap_or(usize::MAX);
        let bytes = bytes.get(start..).and_then(|rest| rest.get(..length));
        Ok(crc32c(bytes.unwrap_or_default()))
    })
}

fn compare(
    size: u64,
    segments: &[Segment],
    block: u64,
    mut sum: impl FnMut(&Segment) -> Result<u32>,
) -> Result<Option<Damage>> {
    let end = size.min((block + 1) * BLOCK_SIZE);
    let first = segments.partition_point(|segment| segment.block() < block);
    let mut at = block * BLOCK_SIZE;
    for segment in segments.iter().skip(first).take_while(|segment| segment.block() == block) {
        if segment.start != at {
            break;
        }
        let actual = sum(segment)?;
        if actual != segment.crc {
            return Ok(Some(differs(segment, actual)));
        }
        at = segment.end();
    }
    if at == end {
        return Ok(None);
    }
    let reason = format!("no checksum is recorded at offset {at}");
    Ok(Some(Damage { range: at..end, reason }))
}

fn differs(segment: &Segment, actual: u32) -> Damage {
    let Segment { start, length, crc } = segment;
    let reason = format!("the {length} bytes at offset {start} have CRC32C {actual:08x}, expected {crc:08x}");
    Damage { range: *start..segment.end(), reason }
}

/// CRC32C (Castagnoli, the iSCSI polynomial) of `bytes`.
pub(crate) fn crc32c(bytes: &[u8]) -> u32 {
    narrowed(checksum(CrcAlgorithm::Crc32Iscsi, bytes))
}

/// A 32-bit checksum in 64 bits: the upper half is zero.
fn narrowed(checksum: u64) -> u32 {
    u32::try_from(checksum).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    const SIZE: u64 = BLOCK_SIZE + 700_000;

    fn byte(offset: u64) -> u8 {
        u8::try_from(offset % 251).unwrap()
    }

    /// Checks both blocks of a blob with these checksums, whose byte at `wrong` was changed.
    fn check(segments: &[Segment], wrong: Option<u64>) -> Vec<Option<Range<u64>>> {
        let read = |offset: u64, buffer: &mut [u8]| {
            for (at, to) in (offset..).zip(buffer) {
                *to = if wrong == Some(at) { !byte(at) } else { byte(at) };
            }
            Ok(())
        };
        let check = BlockCheck { size: SIZE, segments, read };
        let found = (0..2).map(|block| check.check(block, &mut Vec::new()).unwrap());
        let found: Vec<_> = found.map(|damage| damage.map(|damage| damage.range)).collect();
        let in_memory = (0..2).map(|block| {
            let start = block * BLOCK_SIZE;
            let mut bytes = vec![0; usize::try_from(SIZE.min(start + BLOCK_SIZE) - start).unwrap()];
            read(start, &mut bytes).unwrap();
            check_bytes(SIZE, segments, block, &bytes).unwrap().map(|damage| damage.range)
        });
        assert_eq!(in_memory.collect::<Vec<_>>(), found);
        found
    }

    fn segment(range: Range<u64>) -> Segment {
        let bytes: Vec<u8> = range.clone().map(byte).collect();
        Segment { start: range.start, length: u32::try_from(bytes.len()).unwrap(), crc: crc32c(&bytes) }
    }

    #[test]
    fn the_checksum_is_the_published_check_value() {
        assert_eq!(crc32c(b"123456789"), 0xe306_9283);
    }

    #[test]
    fn one_wrong_byte_is_found_in_its_segment_wherever_it_is() {
        let segments = [segment(0..BLOCK_SIZE), segment(BLOCK_SIZE..SIZE)];
        assert_eq!(check(&segments, None), [None, None]);
        for wrong in [0, PIECE - 1, PIECE, BLOCK_SIZE - 1] {
            assert_eq!(check(&segments, Some(wrong)), [Some(0..BLOCK_SIZE), None], "at {wrong}");
        }
        for wrong in [BLOCK_SIZE, SIZE - 1] {
            assert_eq!(check(&segments, Some(wrong)), [None, Some(BLOCK_SIZE..SIZE)], "at {wrong}");
        }
    }

    #[test]
    fn bytes_without_a_checksum_are_damaged() {
        let half = BLOCK_SIZE / 2;
        assert_eq!(check(&[segment(0..half)], None), [Some(half..BLOCK_SIZE), Some(BLOCK_SIZE..SIZE)]);
        let gap = [segment(0..half), segment(half + 1..BLOCK_SIZE), segment(BLOCK_SIZE..SIZE)];
        assert_eq!(check(&gap, None), [Some(half..BLOCK_SIZE), None]);
    }
}
