//! Which bytes of a file are written, with their CRC32C: at most one run per gap, none crossing a 4 MiB block.

use std::collections::BTreeMap;
use std::ops::Range;

use crc_fast::CrcAlgorithm::Crc32Iscsi;

use crate::block::crc32c;
use crate::layout::BLOCK_SIZE;
use crate::record::Segment;

/// CRC32C of two adjacent runs from the CRCs of each.
pub(crate) fn combine(first: u32, second: u32, second_length: u64) -> u32 {
    let combined = crc_fast::checksum_combine(Crc32Iscsi, first.into(), second.into(), second_length);
    // A 32-bit checksum in 64 bits: the upper half is zero.
    u32::try_from(combined).unwrap_or_default()
}

/// `bytes`, which begin at `offset` of a file, cut at block boundaries.
pub(crate) fn segments_of(offset: u64, mut bytes: &[u8]) -> Vec<Segment> {
    let mut out = Vec::new();
    let mut start = offset;
    while !bytes.is_empty() {
        let room = usize::try_from(BLOCK_SIZE - start % BLOCK_SIZE).unwrap_or(usize::MAX);
        let (piece, rest) = bytes.split_at(room.min(bytes.len()));
        out.push(Segment {
            start,
            length: u32::try_from(piece.len()).unwrap_or_default(),
            crc: crc32c(piece),
        });
        start += piece.len() as u64;
        bytes = rest;
    }
    out
}

/// The written bytes of one file.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct SegmentSet {
    by_start: BTreeMap<u64, Segment>,
    covered: u64,
}

impl SegmentSet {
    /// The recorded segments of a file of `size` bytes; what does not fit the invariants is left out and counts as missing.
    pub(crate) fn from_record(segments: &[Segment], size: u64) -> Self {
        let mut out = Self::default();
        for segment in segments {
            let end = segment.start.saturating_add(segment.length.into());
            let in_block = segment.start % BLOCK_SIZE + u64::from(segment.length) <= BLOCK_SIZE;
            if segment.length > 0
                && end <= size
                && in_block
                && out.overlapping(&(segment.start..end)).is_empty()
            {
                out.insert(*segment);
            }
        }
        out
    }

    /// Sorted copy for the blob record.
    pub(crate) fn to_record(&self) -> Vec<Segment> {
        self.by_start.values().copied().collect()
    }

    /// Bytes covered.
    pub(crate) fn covered(&self) -> u64 {
        self.covered
    }

    /// Drops every segment that touches `range`: its checksum no longer holds as a whole, and what lies outside the range
    /// is missing until it is written again.
    pub(crate) fn remove(&mut self, range: &Range<u64>) {
        for start in self.overlapping(range) {
            self.take(start);
        }
    }

    /// Adds a segment that overlaps none, merging it with its neighbours in the block.
    pub(crate) fn insert(&mut self, segment: Segment) {
        let mut merged = segment;
        if let Some(before) = self.ending_at(segment.start).filter(|before| before.block() == segment.block())
        {
            self.take(before.start);
            merged = join(before, merged);
        }
        if let Some(after) =
            self.by_start.get(&segment.end()).copied().filter(|a| a.block() == segment.block())
        {
            self.take(after.start);
            merged = join(merged, after);
        }
        self.covered += u64::from(merged.length);
        self.by_start.insert(merged.start, merged);
    }

    /// The segment that holds the byte at `offset`.
    pub(crate) fn at(&self, offset: u64) -> Option<Segment> {
        let (_, segment) = self.by_start.range(..=offset).next_back()?;
        (segment.end() > offset).then_some(*segment)
    }

    /// The parts of `0..size` that are not covered, sorted and disjoint.
    pub(crate) fn missing(&self, size: u64) -> Vec<Range<u64>> {
        let mut out = Vec::new();
        let mut next = 0;
        for segment in self.by_start.values() {
            if segment.start > next {
                out.push(next..segment.start);
            }
            next = segment.end();
        }
        if next < size {
            out.push(next..size);
        }
        out
    }

    fn overlapping(&self, range: &Range<u64>) -> Vec<u64> {
        let first = self.at(range.start).map_or(range.start, |segment| segment.start);
        if range.is_empty() || first >= range.end {
            return Vec::new();
        }
        self.by_start.range(first..range.end).map(|(start, _)| *start).collect()
    }

    fn ending_at(&self, offset: u64) -> Option<Segment> {
        let (_, segment) = self.by_start.range(..offset).next_back()?;
        (segment.end() == offset).then_some(*segment)
    }

    fn take(&mut self, start: u64) {
        if let Some(segment) = self.by_start.remove(&start) {
            self.covered -= u64::from(segment.length);
        }
    }
}

fn join(first: Segment, second: Segment) -> Segment {
    Segment {
        start: first.start,
        length: first.length + second.length,
        crc: combine(first.crc, second.crc, second.length.into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tests::mutation::random::Random;

    #[test]
    fn a_write_over_a_seam_is_cut_at_the_block() {
        let bytes = vec![7; 10];
        let cut = segments_of(BLOCK_SIZE - 4, &bytes);
        assert_eq!(
            cut.iter().map(|s| (s.start, s.length)).collect::<Vec<_>>(),
            [(BLOCK_SIZE - 4, 4), (BLOCK_SIZE, 6)]
        );
        assert_eq!(cut[0].crc, crc32c(&bytes[..4]));
    }

    #[test]
    fn a_write_of_no_bytes_loses_none() {
        let mut set = SegmentSet::default();
        set.insert(Segment { start: 0, length: 10, crc: 1 });
        set.remove(&(5..5));
        assert_eq!(set.covered(), 10);
    }

    #[test]
    fn records_that_break_the_invariants_are_left_out() {
        let good = Segment { start: 0, length: 10, crc: 1 };
        let overlapping = Segment { start: 5, length: 10, crc: 2 };
        let crossing = Segment { start: BLOCK_SIZE - 1, length: 2, crc: 3 };
        let beyond = Segment { start: 2 * BLOCK_SIZE, length: 2, crc: 4 };
        let huge = Segment { start: u64::MAX - 1, length: 2, crc: 5 };
        let set = SegmentSet::from_record(&[good, overlapping, crossing, beyond, huge], 2 * BLOCK_SIZE + 1);
        assert_eq!(set.to_record(), [good]);
    }

    /// Compares the set with a plain array of bytes: covered bytes, gaps, and the checksum of every segment.
    #[test]
    fn the_set_agrees_with_a_bitmap_under_random_writes() {
        for seed in 1..=40 {
            let mut random = Random(seed);
            let size = usize::try_from(2 * BLOCK_SIZE + 12_345).unwrap();
            let mut bytes = vec![0_u8; size];
            let mut present = vec![false; size];
            let mut set = SegmentSet::default();
            for step in 0..60_u8 {
                let from = random.below(size);
                let to = from + 1 + random.below((size - from).min(700_000));
                let range = from as u64..to as u64;
                for lost in set.to_record().iter().filter(|s| s.start < range.end && range.start < s.end()) {
                    let lost = usize::try_from(lost.start).unwrap()..usize::try_from(lost.end()).unwrap();
                    present[lost].fill(false);
                }
                set.remove(&range);
                if random.below(5) > 0 {
                    bytes[from..to].fill(step);
                    present[from..to].fill(true);
                    for segment in segments_of(range.start, &bytes[from..to]) {
                        set.insert(segment);
                    }
                }
            }
            check(&set, &bytes, &present, seed);
        }
    }

    fn check(set: &SegmentSet, bytes: &[u8], present: &[bool], seed: u64) {
        let mut from_set = vec![false; present.len()];
        for segment in set.to_record() {
            let range = usize::try_from(segment.start).unwrap()..usize::try_from(segment.end()).unwrap();
            assert_eq!(segment.crc, crc32c(&bytes[range.clone()]), "seed {seed}, {segment:?}");
            assert_eq!(segment.block(), (segment.end() - 1) / BLOCK_SIZE, "seed {seed}");
            from_set[range].fill(true);
        }
        assert!(from_set == present, "seed {seed}");
        let mut holes = vec![true; present.len()];
        for gap in set.missing(present.len() as u64) {
            holes[usize::try_from(gap.start).unwrap()..usize::try_from(gap.end).unwrap()].fill(false);
        }
        assert!(holes == present, "seed {seed}");
        assert_eq!(set.covered(), present.iter().filter(|p| **p).count() as u64, "seed {seed}");
        assert_eq!(SegmentSet::from_record(&set.to_record(), present.len() as u64), *set, "seed {seed}");
    }
}
