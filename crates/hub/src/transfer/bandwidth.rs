//! The most bytes per second that all transfers of a client may receive together.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::time::{Instant, sleep_until};
use tokio_util::sync::CancellationToken;

use super::waits::Waits;
use crate::error::HubError;

/// What was not used counts for so long: timers are late, and what they lose would be lost for good.
const CREDIT: Duration = Duration::from_millis(100);
/// Shorter waits are left for the next time.
const SHORTEST_WAIT: Duration = Duration::from_millis(2);

/// A bucket of time: each byte takes some, and who takes more than there is waits until it has passed.
pub(crate) struct Bandwidth {
    bytes_per_second: Option<u64>,
    /// When everything that was taken so far has had its time.
    paid: Mutex<Instant>,
}

impl Bandwidth {
    /// `None` is no limit.
    pub(crate) fn new(bytes_per_second: Option<u64>) -> Self {
        Self { bytes_per_second, paid: Mutex::new(Instant::now()) }
    }

    /// Waits until `bytes` that have come may be followed by others.
    pub(crate) async fn take(
        &self,
        bytes: usize,
        waits: &Waits,
        cancel: &CancellationToken,
    ) -> Result<(), HubError> {
        let Some(rate) = self.bytes_per_second else { return Ok(()) };
        let now = Instant::now();
        let until = self.pay(bytes, rate, now);
        if until <= now + SHORTEST_WAIT {
            return Ok(());
        }
        waits.begin(until - now);
        cancel.run_until_cancelled(sleep_until(until)).await.ok_or(HubError::Cancelled)
    }

    fn pay(&self, bytes: usize, rate: u64, now: Instant) -> Instant {
        let nanos = bytes as u128 * 1_000_000_000 / u128::from(rate.max(1));
        let time = Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX));
        let mut paid = self.paid.lock().unwrap_or_else(PoisonError::into_inner);
        let earliest = now.checked_sub(CREDIT).unwrap_or(now);
        *paid = (*paid).max(earliest) + time;
        *paid
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    /// Seconds that so many connections need for `bytes` each, in pieces of 16 KiB.
    async fn seconds(limit: Option<u64>, connections: usize, bytes: usize) -> f64 {
        let (bandwidth, waits) = (Arc::new(Bandwidth::new(limit)), Arc::new(Waits::default()));
        let start = Instant::now();
        let mut tasks = tokio::task::JoinSet::new();
        for _ in 0..connections {
            let (bandwidth, waits) = (Arc::clone(&bandwidth), Arc::clone(&waits));
            tasks.spawn(async move {
                for _ in 0..bytes.div_ceil(16 << 10) {
                    bandwidth.take(16 << 10, &waits, &CancellationToken::new()).await.unwrap();
                }
            });
        }
        tasks.join_all().await;
        start.elapsed().as_secs_f64()
    }

    #[tokio::test(start_paused = true)]
    async fn all_connections_together_get_the_limit_and_no_more() {
        for connections in [1, 3, 8] {
            let took = seconds(Some(1 << 20), connections, (24 << 20) / connections).await;
            assert!((23.9..24.2).contains(&took), "{took} s over {connections} connections");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_high_limit_is_reached_in_spite_of_coarse_timers() {
        let took = seconds(Some(100 << 20), 4, 100 << 20).await;
        assert!((3.9..4.1).contains(&took), "{took} s");
    }

    #[tokio::test(start_paused = true)]
    async fn without_a_limit_nothing_waits() {
        assert!(seconds(None, 2, 1 << 30).await < 0.001);
    }

    #[tokio::test(start_paused = true)]
    async fn an_idle_hour_is_no_credit_for_a_burst() {
        let bandwidth = Bandwidth::new(Some(1000));
        tokio::time::advance(Duration::from_secs(3600)).await;
        let start = Instant::now();
        bandwidth.take(10_000, &Waits::default(), &CancellationToken::new()).await.unwrap();
        assert!(start.elapsed() >= Duration::from_secs(9));
    }

    #[tokio::test(start_paused = true)]
    async fn a_wait_counts_before_it_is_over() {
        let (bandwidth, waits, cancel) =
            (Bandwidth::new(Some(1000)), Waits::default(), CancellationToken::new());
        let look = async {
            tokio::time::sleep(Duration::from_millis(60)).await;
            waits.total()
        };
        let (_, seen) = tokio::join!(bandwidth.take(10_000, &waits, &cancel), look);
        assert!(seen >= Duration::from_secs(9), "{seen:?}");
    }

    #[tokio::test(start_paused = true)]
    async fn nobody_waits_for_bandwidth_who_was_cancelled() {
        let (bandwidth, waits, cancel) =
            (Bandwidth::new(Some(1000)), Waits::default(), CancellationToken::new());
        let start = Instant::now();
        let (outcome, ()) = tokio::join!(bandwidth.take(1 << 20, &waits, &cancel), async { cancel.cancel() });
        assert!(matches!(outcome, Err(HubError::Cancelled)), "{outcome:?}");
        assert!(start.elapsed() < Duration::from_secs(1));
    }
}
