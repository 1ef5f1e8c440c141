//! How much of the file one request asks for.
//!
//! Long pieces waste no time between requests. But a piece that is cut short later ends its connection, and what was on its way
//! is lost. So pieces are about half a second long, and shorter where others wait or the end is near.

use std::ops::Range;

/// Pieces end at multiples of this: 8 MiB.
const PART: u64 = 8 << 20;
/// Length of a piece while no rate is known: 16 MiB.
const FIRST_PIECE: u64 = 16 << 20;
/// The same where others wait for the connection: 4 MiB, so that small files come whole.
const FIRST_BRIEF_PIECE: u64 = 4 << 20;
/// Near the end of the file, and when they are split, pieces are no shorter than this: 1 MiB.
pub(crate) const SMALLEST_HALF: u64 = 1 << 20;
/// Where others wait, pieces end at multiples of this: 4 KiB.
pub(crate) const SMALLEST_CUT: u64 = 4 << 10;

/// Who else is there.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Demand {
    /// Other transfers wait for the connection.
    pub(crate) brief: bool,
    /// Bytes of this transfer that no connection fetches yet.
    pub(crate) queued: u64,
    /// Connections that this transfer is meant to have.
    pub(crate) connections: u64,
}

/// Half a second's work at `rate` bytes per second from the start of `range`, up to the end of a part, unless the demand asks
/// for less: several connections that end together need not take from each other.
pub(crate) fn end_of_piece(range: &Range<u64>, rate: Option<u64>, demand: Demand) -> u64 {
    if demand.brief {
        return end_after(range, rate.map_or(FIRST_BRIEF_PIECE, |rate| rate / 2), SMALLEST_CUT);
    }
    let usual = end_after(range, rate.map_or(FIRST_PIECE, |rate| rate / 2), PART);
    if demand.connections < 2 {
        return usual;
    }
    // An eighth of a second at least: a request costs time as well.
    let share = (demand.queued / (2 * demand.connections)).max(rate.unwrap_or(0) / 8);
    usual.min(end_after(range, share, SMALLEST_HALF))
}

/// What is left to a connection that others wait for: a quarter of a second.
pub(crate) fn end_of_last_piece(range: &Range<u64>, rate: u64) -> u64 {
    end_after(range, rate / 4, SMALLEST_CUT)
}

/// At least `length` bytes from the start of `range`, up to a multiple of `part`.
fn end_after(range: &Range<u64>, length: u64, part: u64) -> u64 {
    range.start.saturating_add(length.max(1)).div_ceil(part).saturating_mul(part).min(range.end)
}
