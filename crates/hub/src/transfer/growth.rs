//! How many connections a transfer should have.
//!
//! One connection is fastest where the server does not throttle; where it does, the rate grows with their number. So:
//! begin with one; where that is slow go to all at once, else double while the rate follows; and keep no more than the gain
//! explains. Where the connections wait for the disk, more of them would only hold more memory: then go back a step at once.

use std::time::Duration;

/// Above this rate per connection the limit is this machine, not the server's throttle: 256 MiB/s.
const FAST: u64 = 256 << 20;
/// A shorter window goes on until it is as long.
const SHORTEST: Duration = Duration::from_millis(40);
/// Below this rate (64 MiB/s) the first connection is hardly limited by this machine.
const SLOW: u64 = 64 << 20;
/// Of what further connections would bring at the old rate each, they must bring this part in percent.
const WORTH: u128 = 70;
/// Windows a step may take to show its gain: new connections begin slowly.
const PATIENCE: u32 = 5;
/// Windows until a step that did not pay is tried again: the measurement may have been unlucky, or conditions may
/// change. Doubled each time, from 1 s to 16 s of 100 ms windows.
const FIRST_REST: u32 = 10;
const LONGEST_REST: u32 = 160;

/// Connections that spend more than this part of a window waiting for their writes are limited by the disk.
const DISK_BOUND: u32 = 4;

/// The decision, made once per window of time.
#[derive(Debug)]
pub(crate) struct Growth {
    most: usize,
    target: usize,
    received: u64,
    waited: Duration,
    window: Window,
    rest: u32,
    /// No step was taken yet.
    first: bool,
    step: Step,
}

/// What came since the last decision.
#[derive(Debug, Default)]
struct Window {
    elapsed: Duration,
    received: u64,
    /// The same at a moment of its first half; the beginning where nobody looked then.
    early: (Duration, u64),
}

impl Window {
    fn extend(&mut self, elapsed: Duration, received: u64) {
        self.elapsed += elapsed;
        self.received += received;
        if self.elapsed <= SHORTEST / 2 {
            self.early = (self.elapsed, self.received);
        }
    }

    fn rate(&self) -> u64 {
        per_second(self.received, self.elapsed)
    }

    /// The rate that goes on: what a server sends at once, before its throttle begins, is in the first half. At least a
    /// quarter of the whole rate: a short silence means nothing.
    fn lasting_rate(&self) -> u64 {
        let (elapsed, received) = self.early;
        let late = per_second(self.received - received, self.elapsed.saturating_sub(elapsed));
        late.clamp(self.rate() / 4, self.rate())
    }
}

#[derive(Debug)]
enum Step {
    /// No rate is known yet for the present number.
    Measure,
    /// `target` was raised from `before`, where the lasting rate was `rate`; `windows` are left to show a gain.
    Try { before: usize, rate: u64, windows: u32 },
    /// The last step did not pay; `windows` are left until the next one.
    Steady { windows: u32 },
}

impl Growth {
    pub(crate) fn new(most: usize) -> Self {
        Self {
            most,
            target: 1,
            received: 0,
            waited: Duration::ZERO,
            window: Window::default(),
            rest: FIRST_REST,
            first: true,
            step: Step::Measure,
        }
    }

    pub(crate) fn target(&self) -> usize {
        self.target
    }

    /// No rate was seen yet.
    pub(crate) fn is_new(&self) -> bool {
        self.first
    }

    /// A connection failed for good: the server does not want this many.
    pub(crate) fn limit(&mut self, alive: usize) {
        self.most = alive.max(1);
        self.target = self.target.min(self.most);
        self.settle();
    }

    /// `received` bytes in all and `waited` for the disk in all, `elapsed` since the last call or, where that is later, the first
    /// byte, over `alive` connections.
    pub(crate) fn window(&mut self, received: u64, waited: Duration, elapsed: Duration, alive: usize) {
        let before = std::mem::replace(&mut self.received, received);
        self.window.extend(elapsed, received.saturating_sub(before));
        if self.window.elapsed >= SHORTEST {
            let window = std::mem::take(&mut self.window);
            self.decide(&window, waited, alive);
        }
    }

    fn decide(&mut self, window: &Window, waited: Duration, alive: usize) {
        let waited_before = std::mem::replace(&mut self.waited, waited);
        let connections = u32::try_from(alive).unwrap_or(u32::MAX);
        if waited.saturating_sub(waited_before) * DISK_BOUND > window.elapsed * connections {
            self.target = (self.target / 2).max(1);
            self.step = Step::Steady { windows: FIRST_REST };
            return;
        }
        let rate = window.rate();
        if rate == 0 || alive < self.target {
            return;
        }
        match &mut self.step {
            Step::Measure => self.grow(window),
            Step::Try { before, rate: old, windows } => {
                let gained = in_percent(rate, *old) * *before as u128;
                if gained >= self.target as u128 * WORTH {
                    self.grow(window);
                } else if *windows == 0 {
                    // To the nearest number, and never more than there are.
                    self.target = usize::try_from((gained + 50) / 100).unwrap_or(self.target).max(1);
                    self.settle();
                } else {
                    *windows -= 1;
                }
            }
            Step::Steady { windows: 0 } => self.step = Step::Measure,
            Step::Steady { windows } => *windows -= 1,
        }
    }

    fn settle(&mut self) {
        self.step = Step::Steady { windows: self.rest };
        self.rest = (self.rest * 2).min(LONGEST_REST);
    }

    fn grow(&mut self, window: &Window) {
        let (before, rate) = (self.target, window.rate());
        let per_connection = rate.checked_div(before as u64).unwrap_or(rate);
        let first = std::mem::take(&mut self.first);
        if before >= self.most || per_connection >= FAST {
            self.step = Step::Measure;
            return;
        }
        let times = if first && per_connection < SLOW { self.most } else { 2 };
        self.target = (before * times).min(self.most);
        self.step = Step::Try { before, rate: window.lasting_rate(), windows: PATIENCE - 1 };
    }
}

/// How much of `old` `new` is; without a measured `old`, as much as can be.
fn in_percent(new: u64, old: u64) -> u128 {
    (u128::from(new) * 100).checked_div(u128::from(old)).unwrap_or(u128::from(u64::MAX))
}

pub(crate) fn per_second(bytes: u64, elapsed: Duration) -> u64 {
    let micros = elapsed.as_micros().max(1);
    u64::try_from(u128::from(bytes) * 1_000_000 / micros).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    const WINDOW: Duration = Duration::from_millis(100);

    /// Runs windows against a server whose rate in bytes per window depends on the number of connections.
    fn targets(most: usize, windows: usize, rate: impl Fn(usize) -> u64) -> Vec<usize> {
        let mut growth = Growth::new(most);
        let mut received = 0;
        let step = |_| {
            received += rate(growth.target());
            growth.window(received, Duration::ZERO, WINDOW, growth.target());
            growth.target()
        };
        (0..windows).map(step).collect()
    }

    #[test]
    fn takes_all_at_once_where_each_connection_is_throttled() {
        assert_eq!(targets(8, 6, |connections| (connections as u64) << 21), [8; 6]);
        assert_eq!(targets(6, 5, |connections| (connections as u64) << 21), [6; 5]);
    }

    #[test]
    fn what_comes_at_once_is_no_rate() {
        let mut growth = Growth::new(8);
        let tick = Duration::from_millis(20);
        // As much at once as a throttled connection brings in a tenth of a second.
        let mut received = 200_000;
        let mut targets = Vec::new();
        for _ in 0..3 {
            growth.window(received, Duration::ZERO, tick, 1);
            targets.push(growth.target());
            received += 40_000;
        }
        for _ in 0..8 {
            received += 8 * 200_000;
            growth.window(received, Duration::ZERO, WINDOW, growth.target());
            targets.push(growth.target());
        }
        assert_eq!(targets, [1, 8, 8, 8, 8, 8, 8, 8, 8, 8, 8]);
    }

    #[test]
    fn keeps_no_more_than_the_gain_explains() {
        assert_eq!(targets(8, 8, |_| 1 << 20), [8, 8, 8, 8, 8, 1, 1, 1]);
        assert_eq!(targets(8, 8, |connections| (connections as u64).min(3) << 20), [8, 8, 8, 8, 8, 3, 3, 3]);
        assert_eq!(targets(8, 8, |connections| (connections as u64).min(6) << 20), [8; 8]);
    }

    #[test]
    fn only_the_first_step_is_a_large_one() {
        let targets = targets(8, 60, |_| 1 << 20);
        let steps = targets.windows(2).filter(|pair| pair[1] > pair[0]).map(|pair| [pair[0], pair[1]]);
        assert_eq!(steps.collect::<Vec<_>>(), [[1, 2], [1, 2]]);
    }

    #[test]
    fn grows_step_by_step_where_connections_are_fast() {
        assert_eq!(targets(8, 4, |connections| (connections as u64) * (10 << 20)), [2, 4, 8, 8]);
    }

    #[test]
    fn returns_to_one_where_a_second_gains_nothing() {
        assert_eq!(targets(8, 8, |_| 10 << 20), [2, 2, 2, 2, 2, 1, 1, 1]);
    }

    #[test]
    fn stays_at_one_where_the_machine_is_the_limit() {
        assert_eq!(targets(8, 8, |_| 100 << 20), [1; 8]);
    }

    #[test]
    fn tries_again_when_conditions_may_have_changed() {
        let targets = targets(8, 60, |_| 10 << 20);
        let steps = targets.windows(2).enumerate().filter(|(_, pair)| *pair == [1, 2]);
        assert_eq!(steps.map(|(window, _)| window).collect::<Vec<_>>(), [16, 43]);
    }

    #[test]
    fn a_refused_connection_ends_the_growth() {
        let mut growth = Growth::new(8);
        growth.window(1 << 20, Duration::ZERO, WINDOW, 1);
        growth.window(2 << 20, Duration::ZERO, WINDOW, 1);
        assert_eq!(growth.target(), 8);
        growth.limit(1);
        assert_eq!(growth.target(), 1);
    }

    #[test]
    fn a_slow_disk_gets_no_more_connections_and_takes_back_those_there_are() {
        let mut growth = Growth::new(8);
        let mut waited = Duration::ZERO;
        for windows in 1..=4 {
            growth.window(windows << 20, Duration::ZERO, WINDOW, growth.target());
        }
        let many = growth.target();
        assert!(many > 1);
        for windows in 5..=8 {
            waited += WINDOW;
            growth.window(windows << 20, waited, WINDOW, 1);
        }
        assert_eq!(growth.target(), 1);
    }
}
