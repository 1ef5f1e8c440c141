//! How fast one connection delivers: now, and since its answer began.
//!
//! Two clocks: the wall's for what is left to do, and the time spent waiting for the server for judging it. A slow disk or a
//! bandwidth limit is no fault of the server.

use std::collections::VecDeque;
use std::time::Duration;

use tokio::time::Instant;

use super::growth::per_second;

/// As good as nothing: 1 KiB per second.
const TRICKLE: u64 = 1 << 10;

/// What came within less than this of the answer's beginning counts as if it had taken so long: it came at once.
const SHORTEST: Duration = Duration::from_millis(50);

#[derive(Debug, Clone, Copy)]
struct Sample {
    at: Instant,
    waited: Duration,
    received: u64,
}

/// The bytes of one answer as they come.
#[derive(Debug)]
pub(crate) struct Pace {
    /// "Now" is this much of the past.
    span: Duration,
    /// Oldest first; the first one is older than `span` on both clocks, or the beginning.
    samples: VecDeque<Sample>,
    begun: Instant,
    received: u64,
    /// Time spent waiting for the server before `waiting_since`.
    waited: Duration,
    waiting_since: Option<Instant>,
}

impl Pace {
    /// The answer's body is waited for from `now` on; the last `span` is what counts as the present.
    pub(crate) fn begin(now: Instant, span: Duration) -> Self {
        let first = Sample { at: now, waited: Duration::ZERO, received: 0 };
        Self {
            span,
            samples: VecDeque::from([first]),
            begun: now,
            received: 0,
            waited: Duration::ZERO,
            waiting_since: Some(now),
        }
    }

    /// The next bytes are waited for.
    pub(crate) fn wait(&mut self, now: Instant) {
        self.waiting_since.get_or_insert(now);
    }

    pub(crate) fn is_waiting(&self) -> bool {
        self.waiting_since.is_some()
    }

    /// Bytes came; they are stored from `now` until the next [`wait`](Self::wait).
    pub(crate) fn take(&mut self, bytes: u64, now: Instant) {
        self.waited = self.waited(now);
        self.waiting_since = None;
        self.received += bytes;
    }

    pub(crate) fn received(&self) -> u64 {
        self.received
    }

    /// To be called several times within `span`.
    pub(crate) fn sample(&mut self, now: Instant) {
        let sample = Sample { at: now, waited: self.waited(now), received: self.received };
        self.samples.push_back(sample);
        let span = self.span;
        let is_old = |older: &Sample| {
            now.saturating_duration_since(older.at) >= span
                && sample.waited.saturating_sub(older.waited) >= span
        };
        while self.samples.get(1).is_some_and(is_old) {
            self.samples.pop_front();
        }
    }

    /// Bytes per second of the wall clock; `None` before the first byte.
    pub(crate) fn rate(&self, now: Instant) -> Option<u64> {
        let old = |sample: &&Sample| now.saturating_duration_since(sample.at) >= self.span;
        let from = self.samples.iter().rev().find(old).or(self.samples.front())?;
        let span = now.saturating_duration_since(from.at).max(SHORTEST);
        let rate = per_second(self.received - from.received, span);
        (self.received > 0).then_some(rate)
    }

    /// Bytes that came in the last `span` of waiting for the server; `None` where it was not waited for that long.
    pub(crate) fn recent(&self, now: Instant) -> Option<u64> {
        let waited = self.waited(now);
        let old = |sample: &&Sample| waited.saturating_sub(sample.waited) >= self.span;
        self.samples.iter().rev().find(old).map(|from| self.received - from.received)
    }

    /// What comes in `span` of waiting for the server, on average since the beginning.
    pub(crate) fn usual(&self, now: Instant) -> u64 {
        self.received.saturating_mul(millis(self.span)) / millis(self.waited(now).max(self.span))
    }

    /// Less than this within `span` is as good as nothing, whatever is usual.
    pub(crate) fn trickle(&self) -> u64 {
        TRICKLE * millis(self.span) / 1000
    }

    /// Since the answer began.
    pub(crate) fn age(&self, now: Instant) -> Duration {
        now.saturating_duration_since(self.begun)
    }

    fn waited(&self, now: Instant) -> Duration {
        let present = self.waiting_since.map_or(Duration::ZERO, |since| now.saturating_duration_since(since));
        self.waited + present
    }
}

fn millis(span: Duration) -> u64 {
    u64::try_from(span.as_millis()).unwrap_or(u64::MAX).max(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SPAN: Duration = Duration::from_millis(1500);
    const TICK: Duration = Duration::from_millis(100);

    /// A second of 10 bytes per tick, then as many ticks without any.
    fn delivered(silent: u32) -> (Pace, Instant) {
        let mut now = Instant::now();
        let mut pace = Pace::begin(now, SPAN);
        for tick in 0..10 + silent {
            now += TICK;
            if tick < 10 {
                pace.take(10, now);
                pace.wait(now);
            }
            pace.sample(now);
        }
        (pace, now)
    }

    #[test]
    fn the_present_rate_forgets_the_past() {
        let (pace, now) = delivered(0);
        assert_eq!((pace.rate(now), pace.recent(now)), (Some(100), None));
        let (pace, now) = delivered(10);
        assert_eq!((pace.rate(now), pace.recent(now)), (Some(33), Some(50)));
        let (pace, now) = delivered(15);
        assert_eq!((pace.rate(now), pace.recent(now), pace.usual(now)), (Some(0), Some(0), 60));
    }

    #[test]
    fn the_first_bytes_are_no_rate() {
        let now = Instant::now();
        let mut pace = Pace::begin(now, SPAN);
        assert_eq!(pace.rate(now), None);
        pace.take(1000, now);
        assert_eq!(pace.rate(now), Some(20_000));
    }

    #[test]
    fn storing_is_no_silence() {
        let (mut pace, now) = delivered(14);
        pace.take(1, now);
        let later = now + 10 * SPAN;
        pace.sample(later);
        assert_eq!((pace.rate(later), pace.recent(later)), (Some(0), Some(11)));
    }
}
