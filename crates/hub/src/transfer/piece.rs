//! A connection's handle on its share of the plan.

use std::ops::Range;
use std::sync::Arc;

use tokio::sync::Notify;
use tokio::time::Instant;

use super::active::{Active, Claim};
use super::plan::Plan;

/// A share of the plan; what is left of it returns to the queue when it is dropped.
pub(crate) struct Piece {
    plan: Arc<Plan>,
    id: u64,
    lost: Arc<Notify>,
}

impl Piece {
    pub(super) fn new(plan: Arc<Plan>, id: u64, lost: Arc<Notify>) -> Self {
        Self { plan, id, lost }
    }

    fn with<T>(&self, look: impl FnOnce(&mut Active) -> Option<T>) -> Option<T> {
        look(self.plan.lock().active.get_mut(&self.id)?)
    }

    /// The first range still to be fetched, `None` when there is none.
    pub(crate) fn rest(&self) -> Option<Range<u64>> {
        self.with(|active| active.rest.front().cloned())
    }

    /// A request for it starts.
    pub(crate) fn ask(&self) {
        self.with(|active| {
            active.ask();
            Some(())
        });
    }

    /// The head of the answer has come, its body is waited for.
    pub(crate) fn read(&self, now: Instant) {
        let mut state = self.plan.lock();
        let span = state.span();
        if let Some(active) = state.active.get_mut(&self.id) {
            active.read(now, span);
        }
    }

    /// The server answered, but not with bytes: nothing is asked for a while.
    pub(crate) fn pause(&self) {
        self.with(|active| {
            active.pause();
            Some(())
        });
    }

    /// The next bytes of the answer are waited for from now on.
    pub(crate) fn wait(&self, now: Instant) {
        self.with(|active| {
            active.wait(now);
            Some(())
        });
    }

    /// Bytes of the file at `position` were received: which of them are this connection's to write. `None` when
    /// nothing is left to fetch for it.
    pub(crate) fn claim(&self, position: u64, length: usize, now: Instant) -> Option<Claim> {
        self.plan.lock().claim(self.id, position, length, now)
    }

    /// Takes everything that is left of the transfer, in order: the server sends the whole file or nothing.
    pub(crate) fn take_whole(&self) {
        self.plan.lock().take_whole(self.id);
    }

    /// Bytes it received so far.
    pub(crate) fn received(&self) -> u64 {
        self.with(|active| Some(active.received())).unwrap_or(0)
    }

    /// Bytes per second now.
    pub(crate) fn rate(&self, now: Instant) -> Option<u64> {
        self.with(|active| active.rate(now))
    }

    /// Runs `step` unless all that is left was taken away; then it is dropped and `None` returned.
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
        self.plan.lock().end(self.id, Instant::now());
    }
}
