//! What one connection is fetching, and how it gets on.

use std::collections::VecDeque;
use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::Instant;

use super::growth::per_second;

/// How long a connection may be silent before its rest goes to another one.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Patience {
    /// Between two bytes of a body.
    pub(crate) body: Duration,
    /// From a request to the first byte of its answer's body.
    pub(crate) answer: Duration,
}

/// A connection's share of the work.
pub(crate) struct Active {
    /// Ranges still to come, in order; more than one only when `whole`.
    pub(crate) rest: VecDeque<Range<u64>>,
    /// The server ignores ranges: this connection reads the whole file, and no other can help.
    pub(crate) whole: bool,
    /// Told when another connection took over what is left.
    pub(crate) lost: Arc<Notify>,
    received: u64,
    first_byte: Option<Instant>,
    /// `None` while the connection stores bytes: a slow disk is no silence of the server.
    silent_since: Option<Instant>,
    answered: bool,
}

/// What of some received bytes is wanted: `take` bytes after `skip`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Claim {
    pub(crate) skip: usize,
    pub(crate) take: usize,
}

impl Active {
    pub(crate) fn new(range: Range<u64>, now: Instant) -> Self {
        Self {
            rest: VecDeque::from([range]),
            whole: false,
            lost: Arc::default(),
            received: 0,
            first_byte: None,
            silent_since: Some(now),
            answered: false,
        }
    }

    pub(crate) fn is_done(&self) -> bool {
        self.rest.is_empty()
    }

    /// A request for the rest starts: its silence counts from here.
    pub(crate) fn begin(&mut self, now: Instant) {
        self.silent_since = Some(now);
        self.answered = false;
    }

    /// The next bytes of the answer are waited for.
    pub(crate) fn wait(&mut self, now: Instant) {
        self.silent_since = Some(now);
    }

    pub(crate) fn received(&self) -> u64 {
        self.received
    }

    /// Bytes per second since the first byte.
    pub(crate) fn rate(&self, now: Instant) -> Option<u64> {
        Some(per_second(self.received, now.saturating_duration_since(self.first_byte?)))
    }

    pub(crate) fn is_stalled(&self, patience: Patience, now: Instant) -> bool {
        let limit = if self.answered { patience.body } else { patience.answer };
        let silent = self.silent_since.map_or(Duration::ZERO, |since| now.saturating_duration_since(since));
        !self.is_done() && silent >= limit
    }

    /// How long the rest takes; `None` while no rate is known.
    pub(crate) fn time_left(&self, now: Instant) -> Option<Duration> {
        let rest = self.rest.back().map_or(0, |range| range.end - range.start);
        let millis = rest.saturating_mul(1000).checked_div(self.rate(now)?).unwrap_or(u64::MAX);
        Some(Duration::from_millis(millis))
    }

    /// Bytes of the file at `position` came: which of them are wanted here. `None` when nothing more is.
    pub(crate) fn claim(&mut self, position: u64, length: usize, now: Instant) -> Option<Claim> {
        let range = self.rest.front_mut()?;
        let skip = bounded(range.start.saturating_sub(position), length);
        let take = bounded(range.end - range.start, length - skip);
        range.start += take as u64;
        if range.is_empty() {
            self.rest.pop_front();
        }
        self.received += take as u64;
        self.silent_since = None;
        self.answered = true;
        self.first_byte.get_or_insert(now);
        Some(Claim { skip, take })
    }
}

fn bounded(count: u64, most: usize) -> usize {
    usize::try_from(count).map_or(most, |count| count.min(most))
}
