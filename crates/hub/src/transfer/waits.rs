//! How long the connections of a transfer have waited for this side: for the disk, or for their part of the bandwidth.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::time::Instant;

/// The sum over all connections.
#[derive(Default)]
pub(crate) struct Waits(AtomicU64);

impl Waits {
    /// One waited from `since` until now.
    pub(crate) fn note(&self, since: Instant) {
        let micros = u64::try_from(since.elapsed().as_micros()).unwrap_or(u64::MAX);
        self.0.fetch_add(micros, Ordering::Relaxed);
    }

    /// One waits for so long from now on. It counts at once: a wait that lasts is what the number of connections is decided in.
    pub(crate) fn begin(&self, wait: Duration) {
        self.0.fetch_add(u64::try_from(wait.as_micros()).unwrap_or(u64::MAX), Ordering::Relaxed);
    }

    pub(crate) fn total(&self) -> Duration {
        Duration::from_micros(self.0.load(Ordering::Relaxed))
    }
}
