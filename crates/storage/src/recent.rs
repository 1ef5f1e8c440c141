//! Bytes written a moment ago, kept for the hasher: reading them back costs as much as writing them did.

use std::collections::BTreeMap;
use std::ops::Range;

use bytes::Bytes;

use crate::mutex::Mutex;

/// Most bytes kept (4 MiB): a hasher that falls further behind reads from the disk what came meanwhile.
const LIMIT: u64 = 4 << 20;

/// Pieces by their offset, disjoint. What is kept may be forgotten at any time.
#[derive(Debug, Default)]
pub(crate) struct Recent {
    pieces: Mutex<BTreeMap<u64, Bytes>>,
}

impl Recent {
    /// These bytes were written at `offset`, and no other write touches them.
    pub(crate) fn keep(&self, offset: u64, bytes: Bytes) {
        let mut pieces = self.pieces.lock();
        let kept: u64 = pieces.values().map(|piece| piece.len() as u64).sum();
        if kept + bytes.len() as u64 <= LIMIT {
            pieces.insert(offset, bytes);
        }
    }

    /// A write of `range` begins: what was there is no longer what the disk has.
    pub(crate) fn forget(&self, range: &Range<u64>) {
        self.pieces.lock().retain(|start, piece| end(*start, piece) <= range.start || *start >= range.end);
    }

    /// The first bytes of `range`, if they are kept; from then on nothing up to their end is.
    pub(crate) fn take(&self, range: &Range<u64>) -> Option<Bytes> {
        let mut pieces = self.pieces.lock();
        pieces.retain(|start, piece| end(*start, piece) > range.start);
        let start = *pieces.range(..=range.start).next()?.0;
        let mut piece = pieces.remove(&start)?;
        let mut taken = piece.split_off(usize::try_from(range.start - start).ok()?);
        let wanted = usize::try_from(range.end - range.start).unwrap_or(usize::MAX);
        if wanted < taken.len() {
            pieces.insert(range.end, taken.split_off(wanted));
        }
        Some(taken)
    }
}

fn end(start: u64, piece: &Bytes) -> u64 {
    start + piece.len() as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    fn recent() -> Recent {
        let recent = Recent::default();
        recent.keep(10, Bytes::from_static(b"abcdef"));
        recent.keep(20, Bytes::from_static(b"xyz"));
        recent
    }

    #[test]
    fn kept_bytes_are_taken_from_any_place_and_the_rest_stays() {
        let recent = recent();
        assert_eq!(recent.take(&(9..30)), None, "the first byte is not kept");
        assert_eq!(recent.take(&(11..13)).unwrap(), "bc");
        assert_eq!(recent.take(&(13..30)).unwrap(), "def");
        assert_eq!(recent.take(&(16..30)), None);
        assert_eq!(recent.take(&(20..30)).unwrap(), "xyz");
        assert_eq!(recent.take(&(20..30)), None);
    }

    #[test]
    fn what_is_written_again_is_forgotten() {
        let recent = recent();
        recent.forget(&(0..10));
        recent.forget(&(16..20));
        recent.forget(&(15..16));
        assert_eq!(recent.take(&(10..16)), None);
        assert_eq!(recent.take(&(20..23)).unwrap(), "xyz");
    }

    #[test]
    fn only_so_much_is_kept() {
        let recent = Recent::default();
        let half = Bytes::from(vec![0; 2 << 20]);
        for offset in [0, 2 << 20, 4 << 20] {
            recent.keep(offset, half.clone());
        }
        assert_eq!(recent.take(&((4 << 20)..(6 << 20))), None, "a third half");
        recent.keep(4 << 20, half.clone());
        assert!(recent.take(&((4 << 20)..(6 << 20))).is_some(), "what lies behind is gone");
    }
}
