//! Where a large value lies: what libmdbx writes before it says so.
#![expect(unsafe_code, reason = "a page header lies before the value; every block states why it is sound")]

use std::ptr;

use libmdbx::Error;
use mdbx_sys as ffi;

use super::Result;
use crate::layout::{CHUNK_PAGE, PADDING, PAGE_HEADER, PAYLOAD_ALIGNMENT, spare_pages_of_run};

/// `P_LARGE`, the only flag of a large value's first page (libmdbx 0.14 `layout-dxb.h`).
const LARGE_PAGE: u16 = 4;

/// Where a large value lies in the data file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct PageRun {
    pub(crate) first_page: u32,
    pub(crate) pages: u32,
}

impl PageRun {
    /// File offset of the first page.
    pub(crate) fn offset(self) -> u64 {
        u64::from(self.first_page) * CHUNK_PAGE as u64
    }

    /// File offset after the first page, which header and padding fill.
    pub(crate) fn second_page(self) -> u64 {
        self.offset() + CHUNK_PAGE as u64
    }

    /// File offset after the last page.
    pub(crate) fn end(self) -> u64 {
        self.offset() + u64::from(self.pages) * CHUNK_PAGE as u64
    }

    /// File offset of the payload: that of the second page, or the first boundary of 1 MiB from there on.
    pub(crate) fn payload_offset(self) -> u64 {
        match self.spare_pages() {
            0 => self.second_page(),
            _ => self.second_page().next_multiple_of(PAYLOAD_ALIGNMENT),
        }
    }

    /// File offset after the last page of the payload.
    pub(crate) fn payload_end(self) -> u64 {
        let spare = self.spare_pages() * CHUNK_PAGE as u64;
        self.payload_offset() + (self.end() - self.second_page()) - spare
    }

    fn spare_pages(self) -> u64 {
        spare_pages_of_run(self.pages.into())
    }
}

/// A chunk's value as libmdbx maps it. Bulk bytes are never read through it: its map is advised random, 0.04 GB/s cold.
pub(crate) struct RunValue<'a> {
    pub(crate) run: PageRun,
    /// Bytes of the value, padding included.
    pub(crate) length: usize,
    /// libmdbx's header of the first page.
    pub(crate) page_header: [u8; PAGE_HEADER],
    /// The padding before the payload.
    pub(crate) padding: &'a [u8],
}

impl RunValue<'_> {
    /// Reads the page header before a value and checks that it is what libmdbx writes before a large value of this length.
    ///
    /// # Safety
    /// `value` was returned by libmdbx in a transaction that outlives the result.
    pub(super) unsafe fn of(value: &ffi::MDBX_val) -> Result<Self> {
        if value.iov_len < PADDING {
            return Err(Error::Corrupted);
        }
        let start = value.iov_base.cast::<u8>().cast_const();
        // SAFETY: a value longer than half a page is stored in its own page run, 20 bytes after the run's start.
        let page_header = unsafe { header_before(start) };
        // SAFETY: the value has at least PADDING bytes and stays mapped as long as its transaction.
        let padding = unsafe { std::slice::from_raw_parts(start, PADDING) };
        let run = parse_header(&page_header, value.iov_len, CHUNK_PAGE).ok_or(Error::Corrupted)?;
        Ok(Self { run, length: value.iov_len, page_header, padding })
    }
}

/// Whether a value that begins behind a page's header is a large one of its length, in pages of `page` bytes: it has the pages that
/// it needs, and no others are in them.
///
/// # Safety
/// `value` was returned by libmdbx in a transaction that is alive, and begins [`PAGE_HEADER`] bytes after the start of a page.
pub(super) unsafe fn is_large(value: &ffi::MDBX_val, page: usize) -> bool {
    // SAFETY: the caller says that a page's header is before it.
    let header = unsafe { header_before(value.iov_base.cast::<u8>().cast_const()) };
    parse_header(&header, value.iov_len, page).is_some()
}

/// # Safety
/// The [`PAGE_HEADER`] bytes before `start` are mapped.
unsafe fn header_before(start: *const u8) -> [u8; PAGE_HEADER] {
    let mut header = [0_u8; PAGE_HEADER];
    // SAFETY: the caller says that these bytes are there.
    let header_start = unsafe { start.sub(PAGE_HEADER) };
    // SAFETY: as above; the array is no part of the map.
    unsafe { ptr::copy_nonoverlapping(header_start, header.as_mut_ptr(), PAGE_HEADER) };
    header
}

/// `u64 txnid | u16 | u16 flags | u32 pages | u32 page number` (libmdbx 0.14 `layout-dxb.h`); `None` when the header is not that
/// of a large value of `length` bytes, in pages of `page`.
fn parse_header(header: &[u8; PAGE_HEADER], length: usize, page: usize) -> Option<PageRun> {
    let word = |at: usize| Some(u32::from_le_bytes(header.get(at..at + 4)?.try_into().ok()?));
    let flags = u16::from_le_bytes(header.get(10..12)?.try_into().ok()?);
    let (pages, first_page) = (word(12)?, word(16)?);
    let expected = u32::try_from((PAGE_HEADER + length).div_ceil(page)).ok()?;
    (flags == LARGE_PAGE && pages == expected).then_some(PageRun { first_page, pages })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::layout::value_length;

    fn header(flags: u16, pages: u32, page: u32) -> [u8; PAGE_HEADER] {
        let mut out = [0; PAGE_HEADER];
        out[10..12].copy_from_slice(&flags.to_le_bytes());
        out[12..16].copy_from_slice(&pages.to_le_bytes());
        out[16..20].copy_from_slice(&page.to_le_bytes());
        out
    }

    #[test]
    fn only_the_header_of_a_large_value_of_that_length_is_trusted() {
        let length = PADDING + (1 << 20);
        assert_eq!(
            parse_header(&header(4, 17, 9), length, CHUNK_PAGE),
            Some(PageRun { first_page: 9, pages: 17 })
        );
        assert_eq!(parse_header(&header(2, 17, 9), length, CHUNK_PAGE), None);
        assert_eq!(parse_header(&header(4, 16, 9), length, CHUNK_PAGE), None);
    }

    #[test]
    fn the_run_of_a_value_holds_its_payload_on_the_boundary_of_its_size() {
        let large = 16 << 20;
        for payload in [1 << 16, 3 << 20, large - 1, large, large + 1, 100 << 20] {
            for first_page in 3..40 {
                let pages = (PAGE_HEADER as u64 + value_length(payload)).div_ceil(CHUNK_PAGE as u64);
                let run = PageRun { first_page, pages: pages.try_into().unwrap() };
                let boundary = if payload < large { CHUNK_PAGE as u64 } else { PAYLOAD_ALIGNMENT };
                let (start, end) = (run.payload_offset(), run.payload_end());
                assert!(start.is_multiple_of(boundary), "{payload} bytes in page {first_page}");
                assert!(run.second_page() <= start && start < run.second_page() + boundary);
                assert_eq!(end - start, payload.next_multiple_of(CHUNK_PAGE as u64));
                assert!(end <= run.end());
            }
        }
    }
}
