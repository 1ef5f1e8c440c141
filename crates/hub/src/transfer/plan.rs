//! Which bytes of a transfer nobody fetches yet, and who fetches the others.
//!
//! Invariant: every missing byte that was not claimed yet is in exactly one place, the queue or one active piece. A
//! byte is claimed once, by the connection that received it, and then belongs to that connection's writer.

use std::collections::{BTreeMap, VecDeque};
use std::ops::Range;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use super::active::{Active, Claim, Patience};
use super::piece::Piece;

/// Pieces end at multiples of this: 8 MiB.
const PART: u64 = 8 << 20;
/// Size of a piece while no rate is known: 64 MiB.
const FIRST_PIECE: u64 = 64 << 20;
/// A piece is not split into halves smaller than this: 1 MiB.
const SMALLEST_HALF: u64 = 1 << 20;
/// A piece that ends sooner than this is left alone: a new request costs as much.
const NOT_WORTH_IT: Duration = Duration::from_millis(100);
/// Patience with a silent connection, at most half the stall timeout. Slow first answers are common and harmless.
const PATIENCE: Patience = Patience { body: Duration::from_secs(2), answer: Duration::from_secs(6) };
/// Rescues without any byte received: past these the server is silent altogether, and asking more does not help.
const MOST_RESCUES: u32 = 2;

/// The work of one transfer.
pub(crate) struct Plan {
    state: Mutex<State>,
}

/// The plan's content; the methods of [`Plan`] and [`Piece`] are its only users.
pub(super) struct State {
    pub(super) active: BTreeMap<u64, Active>,
    queue: VecDeque<Range<u64>>,
    next_id: u64,
    received: u64,
    rescues: u32,
    patience: Patience,
}

impl Plan {
    pub(crate) fn new(missing: &[Range<u64>], stall_timeout: Duration) -> Self {
        let limit = |patience: Duration| patience.min(stall_timeout / 2);
        Self {
            state: Mutex::new(State {
                active: BTreeMap::new(),
                queue: missing.iter().filter(|range| !range.is_empty()).cloned().collect(),
                next_id: 0,
                received: 0,
                rescues: 0,
                patience: Patience { body: limit(PATIENCE.body), answer: limit(PATIENCE.answer) },
            }),
        }
    }

    /// The next piece for a connection whose last rate (bytes per second) is `rate`: about half a second of work from
    /// the front of the queue, else a share of another connection's piece; `None` when there is nothing to do.
    pub(crate) fn take(self: &Arc<Self>, rate: Option<u64>, now: Instant) -> Option<Piece> {
        let mut state = self.lock();
        let range = state.cut(rate, now).or_else(|| state.steal(now))?;
        let (id, active) = (state.next_id, Active::new(range, now));
        state.next_id += 1;
        let lost = Arc::clone(&active.lost);
        state.active.insert(id, active);
        Some(Piece::new(Arc::clone(self), id, lost))
    }

    /// Returns what is more than a connection's next half second to the queue, for connections about to be added. The
    /// file then still arrives from front to back.
    pub(crate) fn share(&self, now: Instant) {
        self.lock().share(now);
    }

    /// Whether a further connection would find something to do.
    pub(crate) fn has_work(&self, now: Instant) -> bool {
        let state = self.lock();
        !state.queue.is_empty() || state.victim(now).is_some()
    }

    /// Whether every missing byte was claimed.
    pub(crate) fn is_finished(&self) -> bool {
        let state = self.lock();
        state.queue.is_empty() && state.active.values().all(Active::is_done)
    }

    /// Connections that have been silent for too long.
    pub(crate) fn stalled(&self, now: Instant) -> usize {
        let state = self.lock();
        state.active.values().filter(|active| active.is_stalled(state.patience, now)).count()
    }

    /// Bytes claimed so far.
    pub(crate) fn received(&self) -> u64 {
        self.lock().received
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    pub(super) fn claim(&mut self, id: u64, position: u64, length: usize, now: Instant) -> Option<Claim> {
        let claim = self.active.get_mut(&id)?.claim(position, length, now)?;
        self.received += claim.take as u64;
        self.rescues = 0;
        Some(claim)
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
    pub(super) fn end(&mut self, id: u64) {
        if let Some(active) = self.active.remove(&id) {
            self.give_back(active.rest);
        }
    }

    fn give_back(&mut self, ranges: impl IntoIterator<Item = Range<u64>>) {
        for range in ranges {
            let place = self.queue.partition_point(|queued| queued.start < range.start);
            self.queue.insert(place, range);
        }
    }

    fn cut(&mut self, rate: Option<u64>, now: Instant) -> Option<Range<u64>> {
        let range = self.queue.pop_front()?;
        let rate = rate.or_else(|| self.active.values().filter_map(|active| active.rate(now)).max());
        let end = end_of_piece(&range, rate);
        if end < range.end {
            self.queue.push_front(end..range.end);
        }
        Some(range.start..end)
    }

    fn share(&mut self, now: Instant) {
        let mut tails = Vec::new();
        for active in self.active.values_mut().filter(|active| !active.whole) {
            let (Some(rate), Some(range)) = (active.rate(now), active.rest.back_mut()) else { continue };
            let end = end_of_piece(range, Some(rate));
            if end < range.end {
                tails.push(end..range.end);
                range.end = end;
            }
        }
        self.give_back(tails);
    }

    /// All that a stalled connection has left, else the tail half of the piece that would end last.
    fn steal(&mut self, now: Instant) -> Option<Range<u64>> {
        let (id, stalled) = self.victim(now)?;
        let active = self.active.get_mut(&id)?;
        let range = active.rest.pop_back()?;
        if stalled {
            self.rescues += 1;
            active.lost.notify_one();
            return Some(range);
        }
        let half = range.start + (range.end - range.start) / 2;
        let middle = half.next_multiple_of(SMALLEST_HALF).min(range.end - SMALLEST_HALF);
        active.rest.push_back(range.start..middle);
        Some(middle..range.end)
    }

    /// Whom to take work from, and whether it is stalled.
    fn victim(&self, now: Instant) -> Option<(u64, bool)> {
        let ranged = || self.active.iter().filter(|(_, active)| !active.whole && !active.is_done());
        let stalled = ranged().find(|(_, active)| active.is_stalled(self.patience, now));
        if let Some((id, _)) = stalled.filter(|_| self.rescues < MOST_RESCUES) {
            return Some((*id, true));
        }
        let splits = |range: &Range<u64>| range.end - range.start >= 2 * SMALLEST_HALF;
        let slow = ranged().filter(|(_, active)| active.rest.back().is_some_and(splits));
        let (left, id) = slow.filter_map(|(id, active)| Some((active.time_left(now)?, *id))).max()?;
        (left >= NOT_WORTH_IT).then_some((id, false))
    }
}

/// Half a second's work from the start of `range`, up to the end of a part.
fn end_of_piece(range: &Range<u64>, rate: Option<u64>) -> u64 {
    let length = rate.map_or(FIRST_PIECE, |rate| (rate / 2).max(1));
    range.start.saturating_add(length).div_ceil(PART).saturating_mul(PART).min(range.end)
}

#[cfg(test)]
mod tests {
    use super::*;

    const MIB: u64 = 1 << 20;
    const TIMEOUT: Duration = Duration::from_secs(30);

    fn whole(size: u64) -> Arc<Plan> {
        Arc::new(Plan::new(std::slice::from_ref(&(0..size)), TIMEOUT))
    }

    /// A plan of one range whose only connection received `received` bytes of it within a second.
    fn started(size: u64, received: u64) -> (Arc<Plan>, Piece, Instant) {
        let plan = whole(size);
        let start = Instant::now();
        let piece = plan.take(None, start).unwrap();
        piece.claim(0, 0, start).unwrap();
        let now = start + Duration::from_secs(1);
        piece.claim(0, usize::try_from(received).unwrap(), now).unwrap();
        (plan, piece, now)
    }

    #[test]
    fn pieces_are_half_a_second_long_and_end_with_a_part() {
        let plan = Plan::new(&[3..200 * MIB, 300 * MIB..301 * MIB], TIMEOUT);
        let (plan, now) = (Arc::new(plan), Instant::now());
        let pieces: Vec<_> = [None, Some(1), Some(30 * MIB), Some(200 * MIB), Some(1 << 40), None]
            .map(|rate| plan.take(rate, now))
            .into_iter()
            .flatten()
            .collect();
        let ranges: Vec<_> = pieces.iter().map(|piece| piece.rest().unwrap()).collect();
        let parts =
            [3..72 * MIB, 72 * MIB..80 * MIB, 80 * MIB..96 * MIB, 96 * MIB..200 * MIB, 300 * MIB..301 * MIB];
        assert_eq!(ranges, parts);
    }

    #[test]
    fn an_idle_connection_takes_the_tail_half_of_the_slowest_piece() {
        let (plan, slow, now) = started(9 * MIB, MIB);
        let other = plan.take(None, now).unwrap();
        assert_eq!((slow.rest(), other.rest()), (Some(MIB..5 * MIB), Some(5 * MIB..9 * MIB)));
    }

    #[test]
    fn a_piece_about_to_end_is_left_alone() {
        let (plan, _fast, now) = started(60 * MIB, 58 * MIB);
        assert!(!plan.has_work(now));
        assert!(plan.take(None, now).is_none());
        let (plan, _small, now) = started(2 * MIB, MIB / 2);
        assert!(plan.take(None, now).is_none());
    }

    #[tokio::test]
    async fn a_stalled_piece_goes_whole_and_its_connection_learns_it() {
        let (plan, stalled, now) = started(9 * MIB, MIB);
        let later = now + PATIENCE.body;
        assert_eq!(plan.stalled(later), 0, "it is storing what it received");
        stalled.wait(now);
        assert_eq!((plan.stalled(now), plan.stalled(later)), (0, 1));
        let other = plan.take(None, later).unwrap();
        assert_eq!((stalled.rest(), other.rest()), (None, Some(MIB..9 * MIB)));
        assert_eq!(stalled.unless_lost(std::future::pending::<()>()).await, None);
        assert_eq!(stalled.claim(MIB, 10, later), None);
    }

    #[test]
    fn an_answer_may_take_longer_than_the_next_byte() {
        let plan = whole(9 * MIB);
        let now = Instant::now();
        let waiting = plan.take(None, now).unwrap();
        assert!(plan.take(None, now + PATIENCE.body).is_none());
        assert!(plan.take(None, now + PATIENCE.answer).is_some());
        assert_eq!(waiting.rest(), None);
    }

    #[test]
    fn a_silent_server_is_not_asked_again_and_again() {
        let plan = whole(9 * MIB);
        let mut now = Instant::now();
        let mut pieces = Vec::new();
        for _ in 0..10 {
            pieces.extend(plan.take(None, now));
            now += PATIENCE.answer;
        }
        assert_eq!(pieces.len(), 1 + MOST_RESCUES as usize);
    }

    #[test]
    fn an_ended_connection_leaves_its_rest_in_order() {
        let plan = whole(100 * MIB);
        let now = Instant::now();
        let first = plan.take(Some(1), now).unwrap();
        let second = plan.take(Some(1), now).unwrap();
        first.claim(0, 1000, now).unwrap();
        drop(second);
        drop(first);
        assert_eq!(plan.take(Some(1), now).unwrap().rest(), Some(1000..8 * MIB));
        assert_eq!(plan.received(), 1000);
    }

    #[test]
    fn sharing_leaves_half_a_second_and_keeps_the_order() {
        let (plan, first, now) = started(200 * MIB, 4 * MIB);
        plan.share(now);
        assert_eq!(first.rest(), Some(4 * MIB..8 * MIB));
        let second = plan.take(Some(1), now).unwrap();
        assert_eq!(second.rest(), Some(8 * MIB..16 * MIB));
    }

    #[test]
    fn a_whole_answer_collects_everything_and_skips_what_is_there() {
        let plan = Arc::new(Plan::new(&[10..20, 30..40], TIMEOUT));
        let now = Instant::now();
        let (first, second) = (plan.take(None, now).unwrap(), plan.take(None, now).unwrap());
        second.take_whole();
        assert_eq!(first.rest(), None);
        assert_eq!(second.claim(0, 15, now), Some(Claim { skip: 10, take: 5 }));
        assert_eq!(second.claim(15, 25, now), Some(Claim { skip: 0, take: 5 }));
        assert_eq!(second.claim(20, 20, now), Some(Claim { skip: 10, take: 10 }));
        assert_eq!(second.claim(40, 60, now), None);
        assert!(plan.is_finished());
        assert!(!plan.has_work(now));
    }
}
