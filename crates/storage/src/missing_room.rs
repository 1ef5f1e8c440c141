//! The room of what a partial blob misses: given back to the disk by a writer that wants a few ranges only, taken again by the next
//! one, which may want the whole.

use std::ops::Range;
use std::sync::atomic::Ordering;

use crate::error::Result;
use crate::layout::CHUNK_PAGE;
use crate::ledger::Ledger;
use crate::placement::Placement;
use crate::platform::{self, BorrowedFile};
use crate::room::{FLOOR, GIVE_BACK, steps};
use crate::store::Store;
use crate::writer::BlobWriter;

impl BlobWriter {
    /// Has the disk get back the room of what is missing when the last clone is dropped. The reservation stays; the next writer takes
    /// the room again before it begins, or fails for want of it and changes nothing.
    pub fn yield_room(&self) {
        self.inner.yields_room.store(true, Ordering::Relaxed);
    }
}

impl Store {
    /// Gives back what is missing, in whole pages. Nobody may write meanwhile.
    pub(crate) fn give_back_missing(&self, ledger: &Ledger, placement: &Placement) -> Result<()> {
        let _room = self.lock_room()?;
        let file = self.chunks.data_file()?;
        let missing: Vec<_> = ledger.missing().into_iter().map(whole_pages).collect();
        parts(placement, &missing).try_for_each(|part| self.punch(file, part, GIVE_BACK))
    }

    /// Takes room for what is missing where that has none; what has some costs nothing, however full the disk is.
    pub(crate) fn take_missing(&self, ledger: &Ledger, placement: &Placement) -> Result<()> {
        let _room = self.lock_room()?;
        let file = self.chunks.data_file()?;
        parts(placement, &ledger.missing()).try_for_each(|part| self.take_again(file, part))
    }

    /// Only the file system knows whether a part has its room. So it is asked for it, and what would fill the disk goes back.
    fn take_again(&self, file: BorrowedFile<'_>, part: Range<u64>) -> Result<()> {
        let length = part.end - part.start;
        let before = self.available()?;
        let taken = platform::allocate(file, part.start, length);
        if matches!(&taken, Err(error) if error.kind() == std::io::ErrorKind::Unsupported) {
            return Ok(());
        }
        if taken.is_ok() && self.available()? >= before.min(FLOOR) {
            return Ok(());
        }
        self.punch(file, part, GIVE_BACK)?;
        self.enough(length.saturating_add(FLOOR), FLOOR, before.min(length))
    }
}

/// The pages that lie whole in a range of a blob; payloads begin with a page.
fn whole_pages(range: Range<u64>) -> Range<u64> {
    let page = CHUNK_PAGE as u64;
    let end = range.end / page * page;
    range.start.next_multiple_of(page).min(end)..end
}

/// Where ranges of a blob lie in the data file, in parts.
fn parts(placement: &Placement, ranges: &[Range<u64>]) -> impl Iterator<Item = Range<u64>> {
    let pieces = ranges.iter().flat_map(|range| placement.pieces(range.clone()));
    pieces.flat_map(|(at, length)| steps(at..at + length as u64))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_whole_pages_are_given_back() {
        let page = CHUNK_PAGE as u64;
        assert_eq!(whole_pages(0..3 * page), 0..3 * page);
        assert_eq!(whole_pages(1..3 * page - 1), page..2 * page);
        assert!(whole_pages(1..page - 1).is_empty());
        assert!(whole_pages(page + 1..2 * page + 1).is_empty());
    }
}
