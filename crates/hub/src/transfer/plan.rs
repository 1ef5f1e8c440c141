//! Which bytes of a transfer nobody fetches yet, and who fetches the others.
//!
//! Invariant: every missing byte that was not claimed yet is in exactly one place, the queue or one active piece. A
//! byte is claimed once, by the connection that received it, and then belongs to that connection's writer.

use std::collections::{BTreeMap, VecDeque};
use std::ops::Range;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use super::active::{Active, Claim};
use super::length::{Demand, SMALLEST_HALF, end_of_last_piece, end_of_piece, part};
use super::piece::Piece;

/// A piece that ends sooner than this is left alone: a new request costs as much, and what is on its way in the old answer is
/// lost.
const NOT_WORTH_IT: Duration = Duration::from_millis(500);
/// A connection that brings nothing, or far less than usual, for this long loses what it has left. At most half the stall
/// timeout.
const PATIENCE: Duration = Duration::from_millis(1500);
/// An answer that brought this much (64 KiB) shows that asking again helps: the next stall gets no more patience than the first.
const PROVEN: u64 = 64 << 10;
/// A transfer of no more than this (2 MiB) is one request, whoever waits for the connection.
const SMALL: u64 = 2 << 20;
/// Fewer bytes than this (1 KiB) are no sign of life.
const LIFE: u64 = 1 << 10;

/// The work of one transfer.
pub(crate) struct Plan {
    state: Mutex<State>,
}

/// The plan's content; the methods of [`Plan`] and [`Piece`] are its only users.
pub(super) struct State {
    pub(super) active: BTreeMap<u64, Active>,
    queue: VecDeque<Range<u64>>,
    /// Nothing is ever cut.
    small: bool,
    /// How many connections are meant to be there.
    connections: u64,
    next_id: u64,
    received: u64,
    first_byte: Option<Instant>,
    /// Of the last connection that ended.
    rate: Option<u64>,
    stall_timeout: Duration,
    /// Rounds of rescues since an answer brought something. Each doubles the patience: a link may just be slow.
    rescues: u32,
    /// When bytes came last, and how many had come by then, unwanted ones included.
    alive_at: Instant,
    alive_with: u64,
    came: u64,
}

impl Plan {
    pub(crate) fn new(missing: &[Range<u64>], stall_timeout: Duration) -> Self {
        let work: u64 = missing.iter().map(|range| range.end.saturating_sub(range.start)).sum();
        Self {
            state: Mutex::new(State {
                active: BTreeMap::new(),
                small: work <= SMALL,
                queue: missing.iter().filter(|range| !range.is_empty()).cloned().collect(),
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
            }),
        }
    }

    /// The next piece for a connection whose last rate (bytes per second) is `rate`: about half a second of work from
    /// the front of the queue, else a share of another connection's piece; `None` when there is nothing to do. Where
    /// others wait for the connection, a `brief` piece is no longer than that.
    pub(crate) fn take(self: &Arc<Self>, rate: Option<u64>, brief: bool, now: Instant) -> Option<Piece> {
        let mut state = self.lock();
        let range = state.cut(rate, brief, now).or_else(|| state.steal(now))?;
        if state.active.is_empty() {
            state.alive_at = now;
        }
        let (id, active) = (state.next_id, Active::new(range));
        state.next_id += 1;
        let lost = Arc::clone(&active.lost);
        state.active.insert(id, active);
        Some(Piece::new(Arc::clone(self), id, lost))
    }

    /// So many connections are meant to be there from now on.
    pub(crate) fn expect(&self, connections: usize) {
        self.lock().connections = connections.max(1) as u64;
    }

    /// Where nothing is queued: returns what is more than a connection's next half second to the queue, for connections
    /// about to be added. The file then still arrives from front to back.
    pub(crate) fn share(&self, now: Instant) {
        let mut state = self.lock();
        if state.queue.is_empty() {
            state.share(now);
        }
    }

    /// Lets `count` connections end soon, those first that would anyway: what they have left returns to the queue.
    pub(crate) fn hurry(&self, count: usize, now: Instant) {
        self.lock().hurry(count, now);
    }

    /// Looks at all connections, a few times a second: what stalled ones have left returns to the queue, and they learn it.
    pub(crate) fn rescue(&self, now: Instant) {
        self.lock().rescue(now);
    }

    /// How long the server has been silent as a whole. Pauses it asked for and waiting for the disk are no silence.
    pub(crate) fn silence(&self, now: Instant) -> Duration {
        self.lock().silence(now)
    }

    /// Whether a further connection would find something to do.
    pub(crate) fn has_work(&self, now: Instant) -> bool {
        let state = self.lock();
        !state.queue.is_empty() || state.victim(now).is_some()
    }

    /// Connections whose request is being answered.
    pub(crate) fn answered(&self) -> usize {
        self.lock().active.values().filter(|active| active.is_answered()).count()
    }

    /// Whether every missing byte was claimed.
    pub(crate) fn is_finished(&self) -> bool {
        let state = self.lock();
        state.queue.is_empty() && state.active.values().all(Active::is_done)
    }

    /// Nothing is to be fetched any more.
    pub(crate) fn clear(&self) {
        let mut state = self.lock();
        state.queue.clear();
        for active in state.active.values_mut() {
            active.rest.clear();
            active.lost.notify_one();
        }
    }

    /// Bytes claimed so far.
    pub(crate) fn received(&self) -> u64 {
        self.lock().received
    }

    /// How long ago the first byte came; nothing while there is none.
    pub(crate) fn age(&self, now: Instant) -> Duration {
        self.lock().first_byte.map_or(Duration::ZERO, |first| now.saturating_duration_since(first))
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    pub(super) fn claim(&mut self, id: u64, position: u64, length: usize, now: Instant) -> Option<Claim> {
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
    pub(super) fn span(&self) -> Duration {
        PATIENCE.min(self.stall_timeout / 2)
    }

    pub(super) fn take_whole(&mut self, id: u64) {
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
    pub(super) fn end(&mut self, id: u64, now: Instant) {
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

    fn cut(&mut self, rate: Option<u64>, brief: bool, now: Instant) -> Option<Range<u64>> {
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

    fn share(&mut self, now: Instant) {
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

    fn hurry(&mut self, count: usize, now: Instant) {
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

    fn rescue(&mut self, now: Instant) {
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

    fn silence(&mut self, now: Instant) -> Duration {
        if self.active.is_empty() || self.active.values().any(|active| !active.is_waiting()) {
            self.alive_at = now;
        }
        now.saturating_duration_since(self.alive_at)
    }

    /// The tail half of the piece that would end last.
    fn steal(&mut self, now: Instant) -> Option<Range<u64>> {
        let id = self.victim(now)?;
        let active = self.active.get_mut(&id)?;
        let range = active.rest.pop_back()?;
        let half = range.start + (range.end - range.start) / 2;
        let middle = half.next_multiple_of(SMALLEST_HALF).min(range.end - SMALLEST_HALF);
        active.rest.push_back(range.start..middle);
        Some(middle..range.end)
    }

    /// Whom to take work from.
    fn victim(&self, now: Instant) -> Option<u64> {
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

#[cfg(test)]
mod tests;
