//! What a download tells its caller.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Receives progress.
pub type ProgressCallback = Arc<dyn Fn(&Progress) + Send + Sync>;

/// Shortest time between two reports: 20 a second.
pub(crate) const REPORT_INTERVAL: Duration = Duration::from_millis(50);

/// The rate is measured over this much of the past.
const RATE_WINDOW: Duration = Duration::from_secs(2);

/// One report.
#[derive(Clone, Debug, PartialEq)]
pub struct Progress {
    /// Repository.
    pub repo: String,
    /// Quant, when a quant is downloaded.
    pub quant: Option<String>,
    /// Path of the file now moving.
    pub path: Option<String>,
    /// Bytes here, those of earlier runs included. Of a file that turned out to be wrong and is fetched once more to be compared, the
    /// part that was compared.
    pub loaded: u64,
    /// Bytes of everything asked for.
    pub total: u64,
    /// Bytes here of the file now moving.
    pub file_loaded: Option<u64>,
    /// Size of the file now moving.
    pub file_total: Option<u64>,
    /// All files under way, in the order in which they were begun; at most 16.
    pub files: Vec<FileProgress>,
    /// Rate of the last two seconds, bytes per second.
    pub bytes_per_second: f64,
    /// Bytes that were here when the call began.
    pub resumed_from: u64,
}

/// How far one file of a download is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileProgress {
    /// Path within the repository.
    pub path: String,
    /// Bytes here.
    pub loaded: u64,
    /// Size of the file.
    pub total: u64,
}

/// Rate over a sliding window.
pub(crate) struct RateMeter {
    samples: VecDeque<(Instant, u64)>,
}

impl RateMeter {
    pub(crate) fn start(loaded: u64) -> Self {
        Self { samples: VecDeque::from([(Instant::now(), loaded)]) }
    }

    /// Bytes per second now that `loaded` bytes are here.
    pub(crate) fn rate(&mut self, loaded: u64) -> f64 {
        let now = Instant::now();
        self.samples.push_back((now, loaded));
        while self.samples.len() > 2
            && self.samples.get(1).is_some_and(|(at, _)| now.duration_since(*at) > RATE_WINDOW)
        {
            self.samples.pop_front();
        }
        let Some((start, base)) = self.samples.front() else { return 0.0 };
        let seconds = now.duration_since(*start).as_secs_f64();
        if seconds <= 0.0 { 0.0 } else { as_f64(loaded.saturating_sub(*base)) / seconds }
    }
}

#[expect(clippy::cast_precision_loss, reason = "a rate for display; exact to 2^53 bytes")]
fn as_f64(bytes: u64) -> f64 {
    bytes as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_of_an_earlier_run_are_not_speed() {
        let mut meter = RateMeter::start(1_000_000);
        assert!(meter.rate(1_000_000).abs() < f64::EPSILON);
        std::thread::yield_now();
        assert!(meter.rate(1_000_010) > 0.0);
    }
}
