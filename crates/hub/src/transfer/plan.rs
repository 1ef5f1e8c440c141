//! Which bytes of a transfer nobody fetches yet, and who fetches the others.
//!
//! Invariant: every missing byte that was not claimed yet is in exactly one place, the queue or one active piece. A
//! byte is claimed once, by the connection that received it, and then belongs to that connection's writer.

use std::collections::{BTreeMap, VecDeque};
use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use tokio::sync::Notify;
use tokio::time::Instant;

use super::growth::per_second;

/// Pieces end at multiples of this: 8 MiB.
const PART: u64 = 8 << 20;
/// Size of a piece while no rate is known: 64 MiB.
const FIRST_PIECE: u64 = 64 << 20;
/// A piece is not split into halves smaller than this: 1 MiB.
const SMALLEST_HALF: u64 = 1 << 20;
/// A piece that ends sooner than this is left alone: a new request costs as much.
const NOT_WORTH_IT: Duration = Duration::from_millis(100);
/// Silence after which a connection's rest goes to another one.
const RESCUE_AFTER: Duration = Duration::from_secs(2);
/// Rescues without any byte received: past these the server is silent altogether, and asking more does not help.
const MOST_RESCUES: u32 = 2;

/// The work of one transfer.
pub(crate) struct Plan {
    state: Mutex<State>,
}

struct State {
    queue: VecDeque<Range<u64>>,
    active: BTreeMap<u64, Active>,
    next_id: u64,
    received: u64,
    rescues: u32,
    rescue_after: Duration,
}

/// What one connection is fetching.
struct Active {
    rest: VecDeque<Range<u64>>,
    /// The server ignores ranges: this connection reads the whole file, and no other can help.
    whole: bool,
    silent_since: Instant,
    first_byte: Option<Instant>,
    received: u64,
    lost: Arc<Notify>,
}

/// A connection's share of the plan; what is left of it returns to the queue when it is dropped.
pub(crate) struct Piece {
    plan: Arc<Plan>,
    id: u64,
    lost: Arc<Notify>,
}

/// What of some received bytes is wanted: `take` bytes after `skip`.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Claim {
    pub(crate) skip: usize,
    pub(crate) take: usize,
}

impl Plan {
    /// Rescues begin after 2 s of silence, or half the stall timeout when that is shorter.
    pub(crate) fn new(missing: &[Range<u64>], stall_timeout: Duration) -> Self {
        let queue = missing.iter().filter(|range| !range.is_empty()).cloned().collect();
        let rescue_after = RESCUE_AFTER.min(stall_timeout / 2);
        let state =
            State { queue, active: BTreeMap::new(), next_id: 0, received: 0, rescues: 0, rescue_after };
        Self { state: Mutex::new(state) }
    }

    /// The next piece for a connection whose last rate (bytes per second) is `rate`: about half a second of work from
    /// the front of the queue, else a share of another connection's piece; `None` when there is nothing to do.
    pub(crate) fn take(self: &Arc<Self>, rate: Option<u64>, now: Instant) -> Option<Piece> {
        let mut state = self.state.lock();
        let range = state.cut(rate, now).or_else(|| state.steal(now))?;
        let lost = Arc::new(Notify::new());
        let id = state.next_id;
        state.next_id += 1;
        state.active.insert(id, Active::new(range, now, Arc::clone(&lost)));
        Some(Piece { plan: Arc::clone(self), id, lost })
    }

    /// Whether a further connection would find something to do.
    pub(crate) fn has_work(&self, now: Instant) -> bool {
        let state = self.state.lock();
        !state.queue.is_empty() || state.victim(now).is_some()
    }

    /// Whether every missing byte was claimed.
    pub(crate) fn is_finished(&self) -> bool {
        let state = self.state.lock();
        state.queue.is_empty() && state.active.values().all(Active::is_done)
    }

    /// Connections that have been silent for too long.
    pub(crate) fn stalled(&self, now: Instant) -> usize {
        let state = self.state.lock();
        state.active.values().filter(|active| active.is_stalled(state.rescue_after, now)).count()
    }

    /// Bytes claimed so far.
    pub(crate) fn received(&self) -> u64 {
        self.state.lock().received
    }
}

impl State {
    fn cut(&mut self, rate: Option<u64>, now: Instant) -> Option<Range<u64>> {
        let range = self.queue.pop_front()?;
        let rate = rate.or_else(|| self.active.values().filter_map(|active| active.rate(now)).max());
        let length = rate.map_or(FIRST_PIECE, |rate| (rate / 2).max(1));
        let end = range.start.saturating_add(length).div_ceil(PART).saturating_mul(PART).min(range.end);
        if end < range.end {
            self.queue.push_front(end..range.end);
        }
        Some(range.start..end)
    }

    /// All that a stalled connection has left, else the tail half of the piece that would end last.
    fn steal(&mut self, now: Instant) -> Option<Range<u64>> {
        let (id, stalled) = self.victim(now)?;
        let active = self.active.get_mut(&id)?;
        let range = active.rest.pop_back()?;
        if stalled {
            self.rescues += 1;
            if active.is_done() {
                active.lost.notify_one();
            }
            return Some(range);
        }
        let half = range.start + (range.end - range.start) / 2;
        let middle = half.next_multiple_of(SMALLEST_HALF).min(range.end - SMALLEST_HALF);
        active.rest.push_back(range.start..middle);
        Some(middle..range.end)
    }

    fn victim(&self, now: Instant) -> Option<(u64, bool)> {
        let ranged = || self.active.iter().filter(|(_, active)| !active.whole && !active.is_done());
        let stalled = ranged().find(|(_, active)| active.is_stalled(self.rescue_after, now));
        if let Some((id, _)) = stalled.filter(|_| self.rescues < MOST_RESCUES) {
            return Some((*id, true));
        }
        let slow = ranged().filter_map(|(id, active)| Some((active.time_left(now)?, *id)));
        let (left, id) = slow.max()?;
        (left >= NOT_WORTH_IT).then_some((id, false))
    }

    fn give_back(&mut self, ranges: impl IntoIterator<Item = Range<u64>>) {
        for range in ranges {
            let place = self.queue.partition_point(|queued| queued.start < range.start);
            self.queue.insert(place, range);
        }
    }
}

impl Active {
    fn new(range: Range<u64>, now: Instant, lost: Arc<Notify>) -> Self {
        let rest = VecDeque::from([range]);
        Self { rest, whole: false, silent_since: now, first_byte: None, received: 0, lost }
    }

    fn is_done(&self) -> bool {
        self.rest.is_empty()
    }

    fn is_stalled(&self, after: Duration, now: Instant) -> bool {
        !self.is_done() && now.saturating_duration_since(self.silent_since) >= after
    }

    fn rate(&self, now: Instant) -> Option<u64> {
        let first = self.first_byte?;
        Some(per_second(self.received, now.saturating_duration_since(first)))
    }

    /// `None` for a rest too small to split, or whose rate is not known.
    fn time_left(&self, now: Instant) -> Option<Duration> {
        let rest = self.rest.back().map(|range| range.end - range.start)?;
        let millis = rest.saturating_mul(1000).checked_div(self.rate(now)?).unwrap_or(u64::MAX);
        (rest >= 2 * SMALLEST_HALF).then(|| Duration::from_millis(millis))
    }

    fn claim(&mut self, position: u64, length: usize) -> Option<Claim> {
        let range = self.rest.front_mut()?;
        let skip = usize::try_from(range.start.saturating_sub(position)).unwrap_or(usize::MAX).min(length);
        let wanted = usize::try_from(range.end - range.start).unwrap_or(usize::MAX);
        let take = wanted.min(length - skip);
        range.start += take as u64;
        if range.is_empty() {
            self.rest.pop_front();
        }
        Some(Claim { skip, take })
    }
}

impl Piece {
    /// The first range still to be fetched, `None` when there is none.
    pub(crate) fn rest(&self) -> Option<Range<u64>> {
        self.plan.state.lock().active.get(&self.id)?.rest.front().cloned()
    }

    /// A request for it starts now: its silence counts from here.
    pub(crate) fn begin(&self, now: Instant) {
        if let Some(active) = self.plan.state.lock().active.get_mut(&self.id) {
            active.silent_since = now;
        }
    }

    /// Bytes of the file at `position` were received: which of them are this connection's to write. `None` when
    /// nothing is left to fetch for it.
    pub(crate) fn claim(&self, position: u64, length: usize, now: Instant) -> Option<Claim> {
        let mut state = self.plan.state.lock();
        let active = state.active.get_mut(&self.id)?;
        let claim = active.claim(position, length)?;
        active.silent_since = now;
        active.first_byte.get_or_insert(now);
        active.received += claim.take as u64;
        state.received += claim.take as u64;
        state.rescues = 0;
        Some(claim)
    }

    /// Takes everything that is left of the transfer, in order: the server sends the whole file or nothing.
    pub(crate) fn take_whole(&self) {
        let mut state = self.plan.state.lock();
        let mut others = Vec::new();
        for active in state.active.values_mut() {
            others.extend(active.rest.drain(..));
            active.lost.notify_one();
        }
        state.give_back(others);
        let rest = std::mem::take(&mut state.queue);
        if let Some(active) = state.active.get_mut(&self.id) {
            active.rest = rest;
            active.whole = true;
        }
    }

    /// Bytes it received so far.
    pub(crate) fn received(&self) -> u64 {
        self.plan.state.lock().active.get(&self.id).map_or(0, |active| active.received)
    }

    /// Bytes per second since its first byte.
    pub(crate) fn rate(&self, now: Instant) -> Option<u64> {
        self.plan.state.lock().active.get(&self.id)?.rate(now)
    }

    /// Runs `step` unless another connection took over all that is left; then it is dropped and `None` returned.
    pub(crate) async fn unless_lost<T>(&self, step: impl Future<Output = T>) -> Option<T> {
        tokio::pin!(step);
        loop {
            tokio::select! {
                biased;
                done = &mut step => return Some(done),
                () = self.lost.notified() => { self.rest()?; }
            }
        }
    }
}

impl Drop for Piece {
    fn drop(&mut self) {
        let mut state = self.plan.state.lock();
        if let Some(active) = state.active.remove(&self.id) {
            state.give_back(active.rest);
        }
    }
}
