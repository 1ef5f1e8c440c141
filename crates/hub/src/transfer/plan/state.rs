//! What a plan knows of its connections, and how it divides the work among them.

use std::collections::{BTreeMap, VecDeque};
use std::ops::Range;
use std::time::Duration;

use tokio::time::Instant;

use crate::transfer::active::{Active, Claim};
use crate::transfer::length::{Demand, SMALLEST_HALF, end_of_last_piece, end_of_piece, part};

/// A piece that ends sooner than this is left alone: a new request costs as much, and what is on its way in the old answer is
/// lost.
const NOT_WORTH_IT: Duration = Duration::from_millis(500);
/// A connection that brings nothing, or far less than usual, for this long loses what it has left. At most half the stall
/// timeout.
pub(super) const PATIENCE: Duration = Duration::from_millis(1500);
/// An answer that brought this much (64 KiB) shows that asking again helps: the next stall gets no more patience than the first.
const PROVEN: u64 = 64 << 10;
/// A transfer of no more than this (2 MiB) is one request, whoever waits for the connection.
const SMALL: u64 = 2 << 20;
/// Fewer bytes than this (1 KiB) are no sign of life.
const LIFE: u64 = 1 << 10;

/// The plan's content; the methods of [`Plan`](super::Plan) and [`Piece`](crate::transfer::piece::Piece) are its only users.
pub(in crate::transfer) struct State {
    pub(in crate::transfer) active: BTreeMap<u64, Active>,
    pub(super) queue: VecDeque<Range<u64>>,
    /// Nothing is ever cut.
    small: bool,
    /// How many connections are meant to be there.
    pub(super) connections: u64,
    pub(super) next_id: u64,
    pub(super) received: u64,
    pub(super) first_byte: Option<Instant>,
    /// Of the last connection that ended.
    rate: Option<u64>,
    stall_timeout: Duration,
    /// Rounds of rescues since an answer brought something. Each doubles the patience: a link may just be slow.
    rescues: u32,
    /// When bytes came last, and how many had come by then, unwanted ones included.
    pub(super) alive_at: Instant,
    alive_with: u64,
    came: u64,
}

impl State {
    pub(super) fn new(missing: &[Range<u64>], stall_timeout: Duration) -> Self {
        let work: u64 = missing.iter().map(|range| range.end.saturating_sub(range.start)).sum();
        Self {
            active: BTreeMap::new(),
            queue: missing.iter().filter(|range| !range.is_empty()).cloned().collect(),
            small: work <= SMALL,
            connections: 1,
            next_id: 0,
            received: 0,
            first_byte: None,
            rate: None,
            stall_timeout,
            rescues: 0,
            alive_at: Instant::now(),
            alive_with: 0,
            came: 0,
        }
    }

    pub(in crate::transfer) fn claim(
        &mut self,
        id: u64,
        position: u64,
        length: usize,
        now: Instant,
    ) -> Option<Claim> {
        let active = self.active.get_mut(&id)?;
        let claim = active.claim(position, length, now)?;
        self.received += claim.take as u64;
        self.first_byte.get_or_insert(now);
        self.came += (claim.skip + claim.take) as u64;
        if self.came - self.alive_with >= LIFE || active.is_done() {
            (self.alive_at, self.alive_with) = (now, self.came);
        }
        if active.answered() >= PROVEN || active.is_done() {
            self.rescues = 0;
        }
        Some(claim)
    }

    /// The patience with which the present rate is looked at.
    pub(in crate::transfer) fn span(&self) -> Duration {
        PATIENCE.min(self.stall_timeout / 2)
    }

    pub(in crate::transfer) fn take_whole(&mut self, id: u64) {
        let mut others = Vec::new();
        for active in self.active.values_mut() {
            others.extend(active.rest.drain(..));
            active.lost.notify_one();
        }
        self.give_back(others);
        if let Some(active) = self.active.get_mut(&id) {
            active.rest = std::mem::take(&mut self.queue);
            active.whole = true;
        }
    }

    /// The connection goes; what it did not fetch is for others.
    pub(in crate::transfer) fn end(&mut self, id: u64, now: Instant) {
        if let Some(active) = self.active.remove(&id) {
            self.rate = active.rate(now).filter(|rate| *rate > 0).or(self.rate);
            self.give_back(active.rest);
        }
    }

    fn give_back(&mut self, ranges: impl IntoIterator<Item = Range<u64>>) {
        for range in ranges {
            let place = self.queue.partition_point(|queued| queued.start < range.start);
            self.queue.insert(place, range);
        }
    }

    pub(super) fn cut(&mut self, rate: Option<u64>, brief: bool, now: Instant) -> Option<Range<u64>> {
        let queued: u64 = self.queue.iter().map(|range| range.end - range.start).sum();
        let range = self.queue.pop_front()?;
        if self.small {
            return Some(range);
        }
        let others = || self.active.values().filter_map(|active| active.rate(now)).max();
        let rate = rate.or_else(others).filter(|rate| *rate > 0).or(self.rate);
        let part = (self.connections > 1).then(|| self.part(queued, rate, now));
        let end = end_of_piece(&range, rate, Demand { brief, part });
        if end < range.end {
            self.queue.push_front(end..range.end);
        }
        Some(range.start..end)
    }

    /// See [`part`].
    fn part(&self, queued: u64, rate: Option<u64>, now: Instant) -> u64 {
        let rests = self.active.values().flat_map(|active| &active.rest);
        let left = queued + rests.map(|range| range.end - range.start).sum::<u64>();
        part(left, rate, self.connections, self.active.values().filter_map(|active| active.rate(now)))
    }

    pub(super) fn share(&mut self, now: Instant) {
        if self.small {
            return;
        }
        let mut tails = Vec::new();
        for active in self.active.values_mut().filter(|active| !active.whole) {
            let (Some(rate), Some(range)) = (active.rate(now), active.rest.back_mut()) else { continue };
            let end = end_of_piece(range, Some(rate), Demand::default());
            if end < range.end {
                tails.push(end..range.end);
                range.end = end;
            }
        }
        self.give_back(tails);
    }

    pub(super) fn hurry(&mut self, count: usize, now: Instant) {
        if self.small {
            return;
        }
        let ranged = self.active.values_mut().filter(|active| !active.whole && !active.is_done());
        let mut ends: Vec<_> = ranged.filter_map(|active| Some((active.time_left(now)?, active))).collect();
        ends.sort_by_key(|(left, _)| *left);
        let mut tails = Vec::new();
        for (left, active) in ends.into_iter().take(count) {
            let (Some(rate), Some(range)) = (active.rate(now), active.rest.back_mut()) else { continue };
            let end = end_of_last_piece(range, rate);
            // What ends soon anyway need not be cut.
            if left > NOT_WORTH_IT && end < range.end {
                tails.push(end..range.end);
                range.end = end;
            }
        }
        self.give_back(tails);
    }

    pub(super) fn rescue(&mut self, now: Instant) {
        let longest = self.stall_timeout / 2;
        let patience = (self.span() * (1 << self.rescues.min(8))).min(longest);
        let usual: Vec<_> =
            self.active.iter().filter_map(|(id, active)| Some((*id, active.usual(now)?))).collect();
        let mut left = Vec::new();
        for (id, active) in &mut self.active {
            active.sample(now);
            let siblings = mean(usual.iter().filter(|(other, _)| other != id).map(|(_, usual)| *usual));
            // Asking again for a whole file brings what is there once more.
            let patience = if active.whole { longest } else { patience };
            if active.is_stalled(patience, siblings, now) {
                left.extend(active.rest.drain(..));
                active.lost.notify_one();
            }
        }
        self.rescues += u32::from(!left.is_empty());
        self.give_back(left);
    }

    pub(super) fn silence(&mut self, now: Instant) -> Duration {
        if self.active.is_empty() || self.active.values().any(|active| !active.is_waiting()) {
            self.alive_at = now;
        }
        now.saturating_duration_since(self.alive_at)
    }

    /// The tail half of the piece that would end last.
    pub(super) fn steal(&mut self, now: Instant) -> Option<Range<u64>> {
        let id = self.victim(now)?;
        let active = self.active.get_mut(&id)?;
        let range = active.rest.pop_back()?;
        let half = range.start + (range.end - range.start) / 2;
        let middle = half.next_multiple_of(SMALLEST_HALF).min(range.end - SMALLEST_HALF);
        active.rest.push_back(range.start..middle);
        Some(middle..range.end)
    }

    /// Whom to take work from.
    pub(super) fn victim(&self, now: Instant) -> Option<u64> {
        let splits = |range: &Range<u64>| range.end - range.start >= 2 * SMALLEST_HALF;
        let slow =
            self.active.iter().filter(|(_, active)| !active.whole && active.rest.back().is_some_and(splits));
        let (left, id) = slow.filter_map(|(id, active)| Some((active.time_left(now)?, *id))).max()?;
        (left >= NOT_WORTH_IT && !self.small).then_some(id)
    }
}

fn mean(values: impl Iterator<Item = u64>) -> u64 {
    let (sum, count) = values.fold((0_u64, 0), |(sum, count), value| (sum.saturating_add(value), count + 1));
    sum.checked_div(count).unwrap_or(0)
}
