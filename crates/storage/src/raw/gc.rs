//! Which pages of C are free.
#![expect(unsafe_code, reason = "raw libmdbx calls; every block states why it is sound")]

use std::ffi::c_void;
use std::mem::MaybeUninit;

use libmdbx::{RW, Transaction, WriteMap};
use mdbx_sys as ffi;

use super::{ReadHandle, Result, check};

/// Free pages that follow each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct FreeSpan {
    pub(crate) first_page: u64,
    pub(crate) pages: u64,
}

/// How many pages there are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct PageCounts {
    /// Pages up to the last one in use.
    pub(crate) allocated: u64,
    /// Those of them that hold nothing, whether a reader still pins them or not.
    pub(crate) free: u64,
}

/// What the scan of the garbage collection table collects.
#[derive(Default)]
struct Scan {
    reclaimable: Vec<FreeSpan>,
    pages: u64,
}

/// The spans of free pages that no reader of any process can see, in the order of the file, neighbours joined. The transaction
/// must be fresh: one that has taken pages for itself would not end the scan. The spans stay free until it ends.
pub(crate) fn reclaimable_spans(txn: &Transaction<'_, RW, WriteMap>) -> Result<Vec<FreeSpan>> {
    // SAFETY: the transaction is alive and used by this thread only.
    let (scan, _) = unsafe { scan(txn.txn().0) }?;
    Ok(joined(scan.reclaimable))
}

impl ReadHandle {
    /// How many pages the pinned state has.
    pub(crate) fn page_counts(&self) -> Result<PageCounts> {
        // SAFETY: the transaction is alive until `self` drops, and `Snapshot` serializes its use.
        let (scan, allocated) = unsafe { scan(self.txn) }?;
        Ok(PageCounts { allocated, free: scan.pages })
    }
}

/// Scans the garbage collection table; also returns the number of allocated pages.
///
/// # Safety
/// `txn` is alive and used by nobody else during the call.
unsafe fn scan(txn: *mut ffi::MDBX_txn) -> Result<(Scan, u64)> {
    let mut scan = Scan::default();
    let mut info = MaybeUninit::<ffi::MDBX_gc_info_t>::zeroed();
    let context = (&raw mut scan).cast();
    let size = size_of::<ffi::MDBX_gc_info_t>();
    // SAFETY: by this function's contract; libmdbx fills `info`, and the callback only changes `scan`, which outlives the call.
    match unsafe { ffi::mdbx_gc_info(txn, info.as_mut_ptr(), size, Some(visit), context) } {
        ffi::MDBX_NOTFOUND => {}
        code => check(code)?,
    }
    // SAFETY: it is a struct of integers, for which the zeros it was made of are a valid value.
    let info = unsafe { info.assume_init() };
    Ok((scan, info.pages_allocated as u64))
}

/// libmdbx 0.14.4 calls `page` the first page of the span and passes the last: its lists are in descending order. A test that
/// punches real spans beside live chunks pins this.
unsafe extern "C" fn visit(
    context: *mut c_void,
    _txn: *const ffi::MDBX_txn,
    _span_txnid: u64,
    page: usize,
    length: usize,
    reclaimable: bool,
) -> i32 {
    // SAFETY: `scan` passes a pointer to its own value, and nobody else uses it during the call.
    let scan = unsafe { &mut *context.cast::<Scan>() };
    let pages = length as u64;
    scan.pages += pages;
    if let Some(first_page) = (page as u64 + 1).checked_sub(pages).filter(|_| reclaimable) {
        scan.reclaimable.push(FreeSpan { first_page, pages });
    }
    ffi::MDBX_SUCCESS
}

fn joined(mut spans: Vec<FreeSpan>) -> Vec<FreeSpan> {
    spans.sort_unstable();
    let mut out: Vec<FreeSpan> = Vec::with_capacity(spans.len());
    for span in spans {
        match out.last_mut() {
            Some(last) if last.first_page + last.pages == span.first_page => last.pages += span.pages,
            _ => out.push(span),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_are_sorted_and_neighbours_joined() {
        let span = |first_page, pages| FreeSpan { first_page, pages };
        let given = vec![span(20, 1), span(10, 5), span(15, 2), span(18, 1)];
        assert_eq!(joined(given), [span(10, 7), span(18, 1), span(20, 1)]);
    }
}
