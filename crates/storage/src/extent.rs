//! Where the bytes of a blob lie in C's data file.

use std::ops::Range;
use std::path::PathBuf;

use crate::layout::{CHUNK_SIZE, chunk_length};
use crate::platform::Piece;
use crate::raw::PageRun;

/// A run of a blob's bytes in a file, for engines that take a path and an offset.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Extent {
    /// The file.
    pub path: PathBuf,
    /// Offset of the first byte in it.
    pub offset: u64,
    /// Bytes.
    pub length: u64,
}

/// The pieces of the data file that hold `range` of a file of `size` bytes, in order. `runs` are the page runs of all its chunks.
pub(crate) fn pieces(runs: &[PageRun], size: u64, range: Range<u64>) -> Vec<Piece> {
    let end = range.end.min(size);
    let mut out = Vec::new();
    let first = usize::try_from(range.start / CHUNK_SIZE).unwrap_or(usize::MAX);
    for (n, run) in (0_u64..).zip(runs).skip(first) {
        let chunk_start = n * CHUNK_SIZE;
        let from = range.start.max(chunk_start);
        let to = end.min(chunk_start + chunk_length(size, n));
        if from >= to {
            break;
        }
        out.push(Piece { offset: run.payload_offset() + (from - chunk_start), length: to - from });
    }
    out
}

/// Joins pieces that follow each other in the file.
pub(crate) fn merged(pieces: Vec<Piece>) -> Vec<Piece> {
    let mut out: Vec<Piece> = Vec::with_capacity(pieces.len());
    for piece in pieces {
        match out.last_mut() {
            Some(last) if last.offset + last.length == piece.offset => last.length += piece.length,
            _ => out.push(piece),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    const PAGE: u64 = 64 << 10;

    fn runs() -> [PageRun; 3] {
        [
            PageRun { first_page: 10, pages: 1616 },
            PageRun { first_page: 5000, pages: 1616 },
            PageRun { first_page: 2000, pages: 2 },
        ]
    }

    fn piece(page: u64, plus: u64, length: u64) -> Piece {
        Piece { offset: page * PAGE + plus, length }
    }

    #[test]
    fn a_range_is_cut_at_chunk_seams_and_at_the_end() {
        let size = 2 * CHUNK_SIZE + 9;
        assert_eq!(
            pieces(&runs(), size, 0..size),
            [piece(16, 0, CHUNK_SIZE), piece(5008, 0, CHUNK_SIZE), piece(2001, 0, 9)]
        );
        assert_eq!(
            pieces(&runs(), size, CHUNK_SIZE - 3..CHUNK_SIZE + 4),
            [piece(16, CHUNK_SIZE - 3, 3), piece(5008, 0, 4)]
        );
        assert_eq!(pieces(&runs(), size, size - 2..size + 100), [piece(2001, 7, 2)]);
        assert_eq!(pieces(&runs(), size, size..size + 1), []);
        assert_eq!(pieces(&runs(), size, 5..5), []);
    }

    #[test]
    fn only_neighbours_are_joined() {
        let joined = merged(vec![piece(1, 0, 5), piece(1, 5, 6), piece(1, 12, 1), piece(1, 13, 1)]);
        assert_eq!(joined, [piece(1, 0, 11), piece(1, 12, 2)]);
    }
}
