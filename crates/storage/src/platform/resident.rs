//! Which mapped bytes are in memory.
#![expect(unsafe_code, reason = "a system call without a wrapper; the block states why it is sound")]

use std::ffi::{c_int, c_void};

use super::page_size;

unsafe extern "C" {
    /// `mincore(2)`: the lowest bit of each byte says whether a page is in memory.
    fn mincore(address: *mut c_void, length: usize, pages: *mut u8) -> c_int;
}

/// Whether all of these mapped bytes, which begin with a page, are in memory: a look at others may have to wait for the disk, and is
/// a signal where the disk cannot read them. False where nobody tells.
pub(crate) fn is_resident(bytes: &[u8]) -> bool {
    let page = usize::try_from(page_size()).unwrap_or(usize::MAX);
    let mut pages = vec![0; bytes.len().div_ceil(page)];
    let start = bytes.as_ptr().cast_mut().cast();
    // SAFETY: the range is mapped as long as `bytes` is borrowed, nothing is written to it, and there is a byte for each page.
    let told = unsafe { mincore(start, bytes.len(), pages.as_mut_ptr()) } == 0;
    told && pages.iter().all(|page| page & 1 == 1)
}
