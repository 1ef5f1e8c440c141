//! The room of what a partial blob misses: given back to the disk by a writer that wants a few ranges only, taken again by the next
//! one, which may want the whole.

use std::ops::Range;
use std::sync::atomic::Ordering;

use crate::error::{Result, StorageError};
use crate::layout::CHUNK_PAGE;
use crate::ledger::Ledger;
use crate::placement::Placement;
use crate::platform::{self, BorrowedFile};
use crate::room::{FLOOR, STEP};
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
        each_part(placement, &missing, |part| self.punch(file, &part))
    }

    /// Takes room for what is missing where that has none; what has some costs nothing, however full the disk is.
    pub(crate) fn take_missing(&self, ledger: &Ledger, placement: &Placement) -> Result<()> {
        let _room = self.lock_room()?;
        let file = self.chunks.data_file()?;
        each_part(placement, &ledger.missing(), |part| self.take_again(file, &part))
    }

    /// Only the file system knows whether a part has its room. So it is asked for it, and what would fill the disk goes back.
    fn take_again(&self, file: BorrowedFile<'_>, part: &Range<u64>) -> Result<()> {
        let length = part.end - part.start;
        let before = self.available()?;
        let taken = platform::allocate(file, part.start, length);
        if matches!(&taken, Err(error) if error.kind() == std::io::ErrorKind::Unsupported) {
            return Ok(());
        }
        if taken.is_ok() && self.available()? >= before.min(FLOOR) {
            return Ok(());
        }
        self.punch(file, part)?;
        self.enough(length.saturating_add(FLOOR), FLOOR, before.min(length))
    }

    fn punch(&self, file: BorrowedFile<'_>, part: &Range<u64>) -> Result<()> {
        match platform::punch(file, part.start, part.end - part.start) {
            Err(error) if error.kind() != std::io::ErrorKind::Unsupported => {
                Err(StorageError::io("give room back", &self.chunks.data_path(), error))
            }
            _ => Ok(()),
        }
    }
}

/// The pages that lie whole in a range of a blob; payloads begin with a page.
fn whole_pages(range: Range<u64>) -> Range<u64> {
    let page = CHUNK_PAGE as u64;
    let end = range.end / page * page;
    range.start.next_multiple_of(page).min(end)..end
}

/// Calls `f` with places in the data file, none longer than [`STEP`].
fn each_part(
    placement: &Placement,
    ranges: &[Range<u64>],
    mut f: impl FnMut(Range<u64>) -> Result<()>,
) -> Result<()> {
    for (at, length) in ranges.iter().flat_map(|range| placement.pieces(range.clone())) {
        let end = at + length as u64;
        let mut start = at;
        while start < end {
            let part = start..end.min(start + STEP);
            start = part.end;
            f(part)?;
        }
    }
    Ok(())
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
