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
/// When they are split, pieces are no shorter than this: 1 MiB.
pub(crate) const SMALLEST_HALF: u64 = 1 << 20;
/// Near the end of the file pieces end at multiples of this: 64 KiB.
const LAST_PART: u64 = 64 << 10;
/// Where others wait, pieces end at multiples of this: 4 KiB.
pub(crate) const SMALLEST_CUT: u64 = 4 << 10;

/// Who else is there.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Demand {
    /// Other transfers wait for the connection.
    pub(crate) brief: bool,
    /// Bytes that fall to this connection when all that this transfer is meant to have end together; `None` where it is alone.
    pub(crate) part: Option<u64>,
}

/// Half a second's work at `rate` bytes per second from the start of `range`, up to the end of a part, unless the demand asks
/// for less: several connections that end together need not take from each other.
pub(crate) fn end_of_piece(range: &Range<u64>, rate: Option<u64>, demand: Demand) -> u64 {
    if demand.brief {
        return end_after(range, rate.map_or(FIRST_BRIEF_PIECE, |rate| rate / 2), SMALLEST_CUT);
    }
    let usual = end_after(range, rate.map_or(FIRST_PIECE, |rate| rate / 2), PART);
    let Some(part) = demand.part else { return usual };
    let rate = rate.unwrap_or(0);
    // Rates change: of more than a quarter of a second half is left for later. And a request costs time as well: an eighth of a
    // second at least.
    let last = part.min((part / 2).max(rate / 4)).max(rate / 8);
    usual.min(end_after(range, last, LAST_PART))
}

/// What falls to a connection of `rate` of the bytes that are `left`, when so many `connections` share them and end together.
/// `others` are the rates of those that are there; those whose rate nobody knows yet are like this one.
pub(crate) fn part(left: u64, rate: Option<u64>, connections: u64, others: impl Iterator<Item = u64>) -> u64 {
    let Some(rate) = rate else { return left / connections.max(1) };
    let known = others.filter(|rate| *rate > 0);
    let (together, count) =
        known.fold((0_u64, 0), |(sum, count), rate| (sum.saturating_add(rate), count + 1));
    let unknown = connections.saturating_sub(count).max(1);
    let together = u128::from(together) + u128::from(rate) * u128::from(unknown);
    let part = (u128::from(left) * u128::from(rate)).checked_div(together).unwrap_or(0);
    u64::try_from(part).unwrap_or(left)
}

/// What is left to a connection that others wait for: a quarter of a second.
pub(crate) fn end_of_last_piece(range: &Range<u64>, rate: u64) -> u64 {
    end_after(range, rate / 4, SMALLEST_CUT)
}

/// At least `length` bytes from the start of `range`, up to a multiple of `part`.
fn end_after(range: &Range<u64>, length: u64, part: u64) -> u64 {
    range.start.saturating_add(length.max(1)).div_ceil(part).saturating_mul(part).min(range.end)
}
