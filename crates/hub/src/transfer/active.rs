//! What one connection is fetching, and how it gets on.

use std::collections::VecDeque;
use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::Instant;

use super::pace::Pace;

/// Less than this part of what is usual is as good as nothing.
const FAR_LESS: u64 = 16;

/// A connection's share of the work.
pub(crate) struct Active {
    /// Ranges still to come, in order; more than one only when `whole`.
    pub(crate) rest: VecDeque<Range<u64>>,
    /// The server ignores ranges: this connection reads the whole file, and no other can help.
    pub(crate) whole: bool,
    /// Told when what is left was taken away.
    pub(crate) lost: Arc<Notify>,
    received: u64,
    phase: Phase,
}

enum Phase {
    /// An answer is waited for.
    Asking,
    /// The answer's body comes.
    Reading(Pace),
    /// The server asked for a pause.
    Pausing,
}

/// What of some received bytes is wanted: `take` bytes after `skip`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Claim {
    pub(crate) skip: usize,
    pub(crate) take: usize,
}

impl Active {
    pub(crate) fn new(range: Range<u64>) -> Self {
        Self {
            rest: VecDeque::from([range]),
            whole: false,
            lost: Arc::default(),
            received: 0,
            phase: Phase::Asking,
        }
    }

    pub(crate) fn is_done(&self) -> bool {
        self.rest.is_empty()
    }

    /// A request for the rest starts.
    pub(crate) fn ask(&mut self) {
        self.phase = Phase::Asking;
    }

    /// The head of its answer has come.
    pub(crate) fn read(&mut self, now: Instant, span: Duration) {
        self.phase = Phase::Reading(Pace::begin(now, span));
    }

    /// The server answered, but not with bytes: nothing is asked for a while.
    pub(crate) fn pause(&mut self) {
        self.phase = Phase::Pausing;
    }

    /// The next bytes of the answer are waited for.
    pub(crate) fn wait(&mut self, now: Instant) {
        if let Phase::Reading(pace) = &mut self.phase {
            pace.wait(now);
        }
    }

    /// Whether the server has begun to answer the present request.
    pub(crate) fn is_answered(&self) -> bool {
        matches!(self.phase, Phase::Reading(_))
    }

    /// Whether the server's next move is waited for.
    pub(crate) fn is_waiting(&self) -> bool {
        match &self.phase {
            Phase::Asking => true,
            Phase::Reading(pace) => pace.is_waiting(),
            Phase::Pausing => false,
        }
    }

    pub(crate) fn received(&self) -> u64 {
        self.received
    }

    pub(crate) fn sample(&mut self, now: Instant) {
        if let Phase::Reading(pace) = &mut self.phase {
            pace.sample(now);
        }
    }

    fn pace(&self) -> Option<&Pace> {
        match &self.phase {
            Phase::Reading(pace) => Some(pace),
            Phase::Asking | Phase::Pausing => None,
        }
    }

    /// Bytes per second now; `None` while none has come.
    pub(crate) fn rate(&self, now: Instant) -> Option<u64> {
        self.pace()?.rate(now)
    }

    /// What it usually brings in the span that its present rate is measured over.
    pub(crate) fn usual(&self, now: Instant) -> Option<u64> {
        self.pace().map(|pace| pace.usual(now))
    }

    /// Bytes of the present answer.
    pub(crate) fn answered(&self) -> u64 {
        self.pace().map_or(0, Pace::received)
    }

    /// Whether it brings nothing, or far less than it and its siblings usually do, and has for `patience` at least.
    pub(crate) fn is_stalled(&self, patience: Duration, siblings: u64, now: Instant) -> bool {
        let Some(pace) = self.pace().filter(|pace| !self.is_done() && pace.age(now) >= patience) else {
            return false;
        };
        let usual = siblings.max(pace.usual(now));
        pace.recent(now).is_some_and(|recent| recent < pace.trickle().max(usual / FAR_LESS))
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
        if let Phase::Reading(pace) = &mut self.phase {
            pace.take((skip + take) as u64, now);
        }
        Some(Claim { skip, take })
    }
}

fn bounded(count: u64, most: usize) -> usize {
    usize::try_from(count).map_or(most, |count| count.min(most))
}
