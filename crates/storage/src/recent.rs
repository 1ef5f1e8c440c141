//! Bytes written a moment ago, kept for the hasher: reading them back costs as much as writing them did.

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use bytes::Bytes;

use crate::mutex::Mutex;

/// Most bytes kept for one blob (4 MiB): a hasher that falls further behind reads from the disk what came meanwhile.
const LIMIT: u64 = 4 << 20;

/// Most bytes kept for all blobs of a store (32 MiB), however many are written at once.
const LIMIT_OF_ALL: u64 = 32 << 20;

/// How many bytes are kept for all blobs of a store.
#[derive(Debug, Default)]
pub(crate) struct RecentTotal(AtomicU64);

impl RecentTotal {
    /// Counts `length` more, if they may be kept.
    fn admit(&self, length: u64) -> bool {
        let more = |all: u64| all.checked_add(length).filter(|all| *all <= LIMIT_OF_ALL);
        self.0.fetch_update(Ordering::Relaxed, Ordering::Relaxed, more).is_ok()
    }
}

/// Pieces of one blob by their offset, disjoint. What is kept may be forgotten at any time.
#[derive(Debug)]
pub(crate) struct Recent {
    total: Arc<RecentTotal>,
    kept: Mutex<Kept>,
}

#[derive(Debug, Default)]
struct Kept {
    pieces: BTreeMap<u64, Bytes>,
    /// Bytes of all pieces, as they are counted in the total.
    bytes: u64,
}

impl Recent {
    pub(crate) fn new(total: Arc<RecentTotal>) -> Self {
        Self { total, kept: Mutex::default() }
    }

    /// These bytes were written at `offset`, and no other write touches them.
    pub(crate) fn keep(&self, offset: u64, bytes: Bytes) {
        let (mut kept, length) = (self.kept.lock(), bytes.len() as u64);
        if kept.bytes + length <= LIMIT && self.total.admit(length) {
            kept.bytes += length;
            kept.pieces.insert(offset, bytes);
        }
    }

    /// A write of `range` begins: what was there is no longer what the disk has.
    pub(crate) fn forget(&self, range: &Range<u64>) {
        self.less(|pieces| {
            pieces.retain(|start, piece| end(*start, piece) <= range.start || *start >= range.end);
        });
    }

    /// The first bytes of `range`, if they are kept; from then on nothing up to their end is.
    pub(crate) fn take(&self, range: &Range<u64>) -> Option<Bytes> {
        self.less(|pieces| {
            pieces.retain(|start, piece| end(*start, piece) > range.start);
            let start = *pieces.range(..=range.start).next()?.0;
            let mut piece = pieces.remove(&start)?;
            let mut taken = piece.split_off(usize::try_from(range.start - start).ok()?);
            let wanted = usize::try_from(range.end - range.start).unwrap_or(usize::MAX);
            if wanted < taken.len() {
                pieces.insert(range.end, taken.split_off(wanted));
            }
            Some(taken)
        })
    }

    /// Runs `change`, after which no more is kept than before.
    fn less<T>(&self, change: impl FnOnce(&mut BTreeMap<u64, Bytes>) -> T) -> T {
        let mut kept = self.kept.lock();
        let out = change(&mut kept.pieces);
        let left = kept.pieces.values().map(|piece| piece.len() as u64).sum();
        self.total.0.fetch_sub(kept.bytes - left, Ordering::Relaxed);
        kept.bytes = left;
        out
    }
}

impl Drop for Recent {
    fn drop(&mut self) {
        self.total.0.fetch_sub(self.kept.get_mut().bytes, Ordering::Relaxed);
    }
}

fn end(start: u64, piece: &Bytes) -> u64 {
    start + piece.len() as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    fn recent() -> Recent {
        let recent = Recent::new(Arc::default());
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
        let recent = Recent::new(Arc::default());
        let half = Bytes::from(vec![0; 2 << 20]);
        for offset in [0, 2 << 20, 4 << 20] {
            recent.keep(offset, half.clone());
        }
        assert_eq!(recent.take(&((4 << 20)..(6 << 20))), None, "a third half");
        recent.keep(4 << 20, half.clone());
        assert!(recent.take(&((4 << 20)..(6 << 20))).is_some(), "what lies behind is gone");
    }

    #[test]
    fn many_blobs_together_keep_only_so_much() {
        let total = Arc::new(RecentTotal::default());
        let full = |recent: &Recent| {
            for piece in 0..4 {
                recent.keep(piece << 20, Bytes::from(vec![0; 1 << 20]));
            }
        };
        let blobs: Vec<Recent> = (0..20).map(|_| Recent::new(Arc::clone(&total))).collect();
        blobs.iter().for_each(full);
        assert_eq!(total.0.load(Ordering::Relaxed), LIMIT_OF_ALL);
        let late = &blobs[19];
        assert_eq!(late.take(&(0..1)), None);
        blobs[0].forget(&(0..(2 << 20)));
        assert_eq!(blobs[1].take(&((1 << 20)..(2 << 20))).unwrap().len(), 1 << 20);
        full(late);
        assert_eq!(late.take(&(0..(4 << 20))).unwrap().len(), 1 << 20, "there is room again");
        drop(blobs);
        assert_eq!(total.0.load(Ordering::Relaxed), 0);
    }
}
