//! Bytes in memory of their own, aligned for every element type, that may be written through a shared handle.
#![expect(unsafe_code, reason = "shared mutable memory; every block states why it is sound")]

use std::cell::UnsafeCell;

/// Alignment of the first byte: a cache line, enough for every vector instruction.
const ALIGNMENT: usize = 64;

#[repr(align(64))]
struct Line(
    #[expect(dead_code, reason = "read and written through the address of the line")] [u8; ALIGNMENT],
);

/// What a mapping holds where nothing is mapped.
pub(crate) struct OwnedBytes {
    lines: Box<[UnsafeCell<Line>]>,
    length: usize,
}

// SAFETY: shared references only read the bytes or hand out the address; who writes through the address answers for races, as
// with any mapped memory.
unsafe impl Sync for OwnedBytes {}

impl OwnedBytes {
    /// `length` bytes, written by `fill`, which gets them as zeros.
    pub(crate) fn filled<E>(length: usize, fill: impl FnOnce(&mut [u8]) -> Result<(), E>) -> Result<Self, E> {
        let lines = (0..length.div_ceil(ALIGNMENT)).map(|_| UnsafeCell::new(Line([0; ALIGNMENT]))).collect();
        let mut bytes = Self { lines, length };
        fill(bytes.bytes_mut())?;
        Ok(bytes)
    }

    fn bytes_mut(&mut self) -> &mut [u8] {
        // SAFETY: the lines are contiguous, hold at least `length` bytes and are borrowed exclusively.
        unsafe { std::slice::from_raw_parts_mut(self.start(), self.length) }
    }

    /// Address of the first byte.
    pub(crate) fn start(&self) -> *mut u8 {
        UnsafeCell::raw_get(self.lines.as_ptr()).cast()
    }

    /// All bytes.
    pub(crate) fn bytes(&self) -> &[u8] {
        // SAFETY: the lines are contiguous, hold at least `length` initialized bytes and live as long as `self`.
        unsafe { std::slice::from_raw_parts(self.start(), self.length) }
    }
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use super::*;

    #[test]
    fn bytes_are_aligned_filled_and_of_the_length_asked_for() {
        for length in [0, 1, 63, 64, 65, 1000] {
            let owned = OwnedBytes::filled(length, |bytes| {
                bytes.fill(7);
                Ok::<(), Infallible>(())
            })
            .unwrap();
            assert_eq!(owned.bytes(), vec![7; length]);
            assert_eq!(owned.start().addr() % ALIGNMENT, 0);
        }
    }
}
