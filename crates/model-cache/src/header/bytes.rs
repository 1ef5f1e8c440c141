//! A file of which only some bytes may be here: a parser reads it as if it were whole, and is told what to wait for.

use std::collections::BTreeMap;
use std::ops::Range;

use crate::onnx::Malformed;
use crate::onnx::wire::Octets;

/// Why a parser stops.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Stop {
    /// These bytes are needed and not here. They begin with the first one that is not.
    Missing(Range<u64>),
    /// The file is none of the formats.
    Unknown(String),
    /// It is one of them, and its header does not make sense.
    Malformed(String),
}

impl Stop {
    pub(crate) fn malformed(what: impl Into<String>) -> Self {
        Self::Malformed(what.into())
    }
}

impl From<Malformed> for Stop {
    fn from(malformed: Malformed) -> Self {
        Self::Malformed(malformed.into_text())
    }
}

/// The bytes of a file by offset.
pub(crate) trait Bytes: Octets<Failure = Stop> {
    /// Bytes of the whole file.
    fn size(&self) -> u64 {
        self.count() as u64
    }

    /// The bytes of a range that is inside the file, all of them or none.
    fn get(&self, range: Range<u64>) -> Result<&[u8], Stop>;

    /// As [`Bytes::get`], with `length` bytes from `start` on; beyond the end of the file they are no header of anything.
    fn take(&self, start: u64, length: u64) -> Result<&[u8], Stop> {
        let end = start.checked_add(length).filter(|end| *end <= self.size());
        let end =
            end.ok_or_else(|| Stop::malformed(format!("a length at byte {start} leads beyond the end")))?;
        self.get(start..end)
    }
}

/// A whole file.
pub(crate) struct Whole<'a>(pub(crate) &'a [u8]);

impl Octets for Whole<'_> {
    type Failure = Stop;

    fn count(&self) -> usize {
        self.0.len()
    }

    fn octet(&self, at: usize) -> Result<Option<u8>, Stop> {
        Ok(self.0.get(at).copied())
    }
}

impl Bytes for Whole<'_> {
    fn get(&self, range: Range<u64>) -> Result<&[u8], Stop> {
        let bounds = usize::try_from(range.start).ok().zip(usize::try_from(range.end).ok());
        bounds.and_then(|(start, end)| self.0.get(start..end)).ok_or(Stop::Missing(range))
    }
}

/// Pieces of a file, no two of which touch.
#[derive(Debug)]
pub(crate) struct Pieces {
    size: u64,
    by_start: BTreeMap<u64, Vec<u8>>,
}

impl Pieces {
    /// None yet, of a file of `size` bytes.
    pub(crate) fn new(size: u64) -> Self {
        Self { size, by_start: BTreeMap::new() }
    }

    /// Adds bytes that begin where none are yet, and end there.
    pub(crate) fn insert(&mut self, offset: u64, bytes: Vec<u8>) {
        let end = offset + bytes.len() as u64;
        let (mut start, mut joined) = (offset, bytes);
        if let Some((before, length)) = self.before(offset)
            && before + length == offset
            && let Some(mut first) = self.by_start.remove(&before)
        {
            first.append(&mut joined);
            (start, joined) = (before, first);
        }
        if let Some(mut after) = self.by_start.remove(&end) {
            joined.append(&mut after);
        }
        self.by_start.insert(start, joined);
    }

    /// The part of a range before the next bytes that are here. It begins where none are.
    pub(crate) fn gap(&self, range: Range<u64>) -> Range<u64> {
        let next = self.by_start.range(range.start..).next().map_or(self.size, |(start, _)| *start);
        range.start..range.end.min(next).min(self.size)
    }

    fn before(&self, offset: u64) -> Option<(u64, u64)> {
        let (start, bytes) = self.by_start.range(..=offset).next_back()?;
        Some((*start, bytes.len() as u64))
    }
}

impl Octets for Pieces {
    type Failure = Stop;

    fn count(&self) -> usize {
        usize::try_from(self.size).unwrap_or(usize::MAX)
    }

    fn octet(&self, at: usize) -> Result<Option<u8>, Stop> {
        let at = at as u64;
        if at >= self.size {
            return Ok(None);
        }
        Ok(self.get(at..at + 1)?.first().copied())
    }
}

impl Bytes for Pieces {
    fn get(&self, range: Range<u64>) -> Result<&[u8], Stop> {
        if range.is_empty() {
            return Ok(&[]);
        }
        let found = self.by_start.range(..=range.start).next_back();
        let Some((start, bytes)) = found.filter(|(start, bytes)| **start + bytes.len() as u64 > range.start)
        else {
            return Err(Stop::Missing(range));
        };
        let known = start + bytes.len() as u64;
        let bounds = usize::try_from(range.start - start).ok().zip(usize::try_from(range.end - start).ok());
        bounds.and_then(|(from, to)| bytes.get(from..to)).ok_or(Stop::Missing(known..range.end))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_join_and_tell_what_is_missing() {
        let mut pieces = Pieces::new(100);
        assert_eq!(pieces.get(0..4), Err(Stop::Missing(0..4)));
        pieces.insert(10, vec![1; 10]);
        pieces.insert(30, vec![3; 10]);
        assert_eq!(pieces.gap(0..64), 0..10);
        assert_eq!(pieces.gap(20..64), 20..30);
        assert_eq!(pieces.gap(40..640), 40..100);
        assert_eq!(pieces.get(15..25), Err(Stop::Missing(20..25)));
        pieces.insert(20, vec![2; 10]);
        assert_eq!(pieces.by_start.len(), 1);
        assert_eq!(pieces.get(19..31).unwrap(), [1, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 3]);
        assert!(pieces.get(0..0).unwrap().is_empty());
        assert!(matches!(pieces.take(96, 5), Err(Stop::Malformed(_))));
        assert!(matches!(pieces.take(96, u64::MAX), Err(Stop::Malformed(_))));
    }
}
