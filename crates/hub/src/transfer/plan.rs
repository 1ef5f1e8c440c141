//! Which bytes of a transfer nobody fetches yet, and who fetches the others.
//!
//! Invariant: every missing byte that was not claimed yet is in exactly one place, the queue or one active piece. A
//! byte is claimed once, by the connection that received it, and then belongs to that connection's writer.

mod state;
#[cfg(test)]
mod tests;

use std::ops::Range;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use super::active::Active;
use super::piece::Piece;
use state::State;

/// The work of one transfer.
pub(crate) struct Plan {
    state: Mutex<State>,
}

impl Plan {
    pub(crate) fn new(missing: &[Range<u64>], stall_timeout: Duration) -> Self {
        Self { state: Mutex::new(State::new(missing, stall_timeout)) }
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
