//! One range of addresses with pieces of a file mapped back to back.
#![expect(unsafe_code, reason = "mapping memory; every block states why it is sound")]

use std::ffi::c_void;
use std::io;
use std::ptr::{self, NonNull};

use rustix::mm::{MapFlags, ProtFlags};

use super::{BorrowedFile, Piece};

/// A range at least this long begins on a boundary of it (2 MiB) ...
const ALIGNMENT: usize = 2 << 20;

/// ... plus what its file offset is beyond a boundary of this (1 MiB): pages that the page cache keeps together are mapped by
/// one fault when they lie alike in the file and in memory.
const FILE_ALIGNMENT: u64 = 1 << 20;

/// Memory that shows pieces of a file as one slice. A write through [`AddressRange::start`] stays private to the process: the
/// mapping is copy-on-write, the file is never changed by it.
pub(crate) struct AddressRange {
    start: NonNull<c_void>,
    length: usize,
}

// SAFETY: the range is plain memory that belongs to this value alone; no thread is special to it.
unsafe impl Send for AddressRange {}
// SAFETY: shared references only read the mapped bytes or hand out the address.
unsafe impl Sync for AddressRange {}

impl AddressRange {
    /// Maps `pieces` of `file` one after the other. All offsets, and all lengths but the last, are multiples of the page size;
    /// the whole length is not zero. The caller keeps the pages of the file from being reused while the range lives.
    pub(crate) fn map(file: BorrowedFile<'_>, pieces: &[Piece]) -> io::Result<Self> {
        let total: u64 = pieces.iter().map(|piece| piece.length).sum();
        let offset = pieces.first().map_or(0, |piece| piece.offset % FILE_ALIGNMENT);
        let range = Self::reserve(address_length(total)?, address_length(offset)?)?;
        let mut at = 0;
        for piece in pieces {
            at = range.place(at, file, piece)?;
        }
        range.exclude_from_dumps()?;
        Ok(range)
    }

    /// Reserves addresses that begin `beyond` bytes (whole pages, less than a boundary) after a boundary, when there are many.
    fn reserve(length: usize, beyond: usize) -> io::Result<Self> {
        if length < ALIGNMENT {
            return Self::reserve_anywhere(length);
        }
        let page = address_length(super::page_size())?;
        let length = length.checked_next_multiple_of(page).ok_or(io::ErrorKind::OutOfMemory)?;
        let wide = length.checked_add(2 * ALIGNMENT).ok_or(io::ErrorKind::OutOfMemory)?;
        let wide = Self::reserve_anywhere(wide)?;
        let address = wide.start.as_ptr().addr();
        let (_before, rest) = wide.split(address.next_multiple_of(ALIGNMENT) + beyond - address);
        let (range, _after) = rest.split(length);
        Ok(range)
    }

    /// Two ranges: the first `at` bytes, whole pages, and the rest.
    fn split(self, at: usize) -> (Self, Self) {
        let (start, length) = (self.start, self.length);
        std::mem::forget(self);
        let rest = start.map_addr(|address| address.saturating_add(at));
        (Self { start, length: at }, Self { start: rest, length: length - at })
    }

    /// Reserves addresses, without memory behind them.
    fn reserve_anywhere(length: usize) -> io::Result<Self> {
        let flags = MapFlags::PRIVATE | MapFlags::NORESERVE;
        // SAFETY: the kernel chooses free addresses, so no other mapping is touched.
        let start =
            unsafe { rustix::mm::mmap_anonymous(ptr::null_mut(), length, ProtFlags::empty(), flags) }?;
        let start = NonNull::new(start).ok_or(io::ErrorKind::OutOfMemory)?;
        Ok(Self { start, length })
    }

    /// Maps one piece at `at` and returns where it ends.
    fn place(&self, at: usize, file: BorrowedFile<'_>, piece: &Piece) -> io::Result<usize> {
        let length = usize::try_from(piece.length).map_err(|_| io::ErrorKind::InvalidInput)?;
        let end =
            at.checked_add(length).filter(|end| *end <= self.length).ok_or(io::ErrorKind::InvalidInput)?;
        let address = self.start.as_ptr().wrapping_byte_add(at);
        let protection = ProtFlags::READ | ProtFlags::WRITE;
        let flags = MapFlags::PRIVATE | MapFlags::FIXED | MapFlags::NORESERVE;
        // SAFETY: `at..end` lies in the range this value reserved, so that MAP_FIXED replaces nothing but its own pages, and no
        // reference to them exists before `map` returns.
        unsafe { rustix::mm::mmap(address, length, protection, flags, file, piece.offset) }?;
        Ok(end)
    }

    /// A core dump of the process must not contain gigabytes of model weights.
    #[cfg(target_os = "linux")]
    fn exclude_from_dumps(&self) -> io::Result<()> {
        // SAFETY: the range is mapped and this advice changes no byte of it.
        unsafe { rustix::mm::madvise(self.start.as_ptr(), self.length, rustix::mm::Advice::LinuxDontDump) }?;
        Ok(())
    }

    #[cfg(not(target_os = "linux"))]
    #[expect(clippy::unnecessary_wraps, clippy::unused_self, reason = "the same signature as on Linux")]
    fn exclude_from_dumps(&self) -> io::Result<()> {
        Ok(())
    }

    /// Address of the first byte.
    pub(crate) fn start(&self) -> *mut u8 {
        self.start.as_ptr().cast()
    }

    /// All bytes.
    pub(crate) fn bytes(&self) -> &[u8] {
        // SAFETY: `map` placed readable pieces over the whole range, which stays mapped until `self` drops.
        unsafe { std::slice::from_raw_parts(self.start(), self.length) }
    }
}

impl Drop for AddressRange {
    fn drop(&mut self) {
        if self.length == 0 {
            return;
        }
        // SAFETY: the range belongs to this value and nothing borrows it any more.
        let unmapped = unsafe { rustix::mm::munmap(self.start.as_ptr(), self.length) };
        debug_assert!(unmapped.is_ok(), "a range this value mapped can be unmapped");
    }
}

fn address_length(length: u64) -> io::Result<usize> {
    usize::try_from(length).map_err(|_| io::ErrorKind::OutOfMemory.into())
}
