//! Asking again where no answer begins: a server, or a connection that was kept, may have forgotten the request. The first
//! answer counts.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use reqwest::Response;
use tokio::task::JoinSet;

/// A request is sent again when its answer has not begun within this.
const PATIENCE: Duration = Duration::from_millis(1500);

/// What a client has learned about how long its servers take.
pub(crate) struct Hedge {
    /// How long an answer is waited for before it is asked again, in milliseconds, and its bounds.
    patience: AtomicU64,
    least: u64,
    most: u64,
}

impl Hedge {
    /// Never waits longer than half the stall timeout before it asks again.
    pub(crate) fn new(stall_timeout: Duration) -> Self {
        let most = u64::try_from((stall_timeout / 2).as_millis()).unwrap_or(u64::MAX).max(1);
        let least = u64::try_from(PATIENCE.as_millis()).map_or(most, |patience| patience.min(most));
        Self { patience: AtomicU64::new(least), least, most }
    }

    /// Sends what `request` makes, and again each time twice the patience has passed; the requests that are too late end.
    pub(crate) async fn send<F>(&self, request: impl Fn() -> F) -> reqwest::Result<Response>
    where
        F: Future<Output = reqwest::Result<Response>> + Send + 'static,
    {
        let mut patience = Duration::from_millis(self.patience.load(Ordering::Relaxed));
        let mut first = Box::pin(request());
        if let Ok(answer) = tokio::time::timeout(patience, &mut first).await {
            return answer;
        }
        let mut asked = JoinSet::new();
        let first = asked.spawn(first).id();
        loop {
            asked.spawn(request());
            patience *= 2;
            let again = tokio::time::sleep(patience);
            tokio::pin!(again);
            loop {
                tokio::select! {
                    Some(answered) = asked.join_next_with_id() => match answered {
                        Ok((id, Ok(answer))) => {
                            self.learn(id == first);
                            return Ok(answer);
                        }
                        Ok((_, Err(error))) if asked.is_empty() => return Err(error),
                        Ok((_, Err(_))) => {}
                        Err(panicked) => std::panic::resume_unwind(panicked.into_panic()),
                    },
                    () = &mut again => break,
                }
            }
        }
    }

    /// A server that answers the first request after all is slow: asking it twice only makes it slower.
    fn learn(&self, first_won: bool) {
        let patience = self.patience.load(Ordering::Relaxed);
        let next = if first_won { patience.saturating_mul(2).min(self.most) } else { self.least };
        self.patience.store(next, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slow_server_is_asked_twice_less_and_less_soon() {
        let hedge = Hedge::new(Duration::from_secs(10));
        let mut after = |first_won| {
            hedge.learn(first_won);
            hedge.patience.load(Ordering::Relaxed)
        };
        assert_eq!([true, true, true, false].map(&mut after), [3000, 5000, 5000, 1500]);
    }
}
