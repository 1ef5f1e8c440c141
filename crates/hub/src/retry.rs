//! When to try again: a delay schedule that progress resets, and the waits a server asks for.

use std::time::{Duration, SystemTime};

use backon::{BackoffBuilder as _, ExponentialBackoff, ExponentialBuilder};
use reqwest::header::{HeaderMap, RETRY_AFTER};
use tokio_util::sync::CancellationToken;

use crate::error::HubError;

/// First delay; doubled by each failure in a row, with up to as much again of jitter.
const FIRST_DELAY: Duration = Duration::from_millis(250);
/// No schedule delay is longer (before jitter).
const LONGEST_DELAY: Duration = Duration::from_secs(8);
/// A server that asks for a longer wait gets an error to the caller instead: the Hub's window is five minutes.
const LONGEST_WAIT: Duration = Duration::from_secs(60);

/// Tries again, at most, while no connection was ever made: whoever is offline wants to know soon.
const MOST_FIRST_CONTACTS: u32 = 2;

/// The tries left for one operation.
pub(crate) struct Retry {
    schedule: ExponentialBuilder,
    delays: ExponentialBackoff,
    first_contacts: u32,
}

impl Retry {
    /// `retries` failures in a row are forgiven.
    pub(crate) fn new(retries: u32) -> Self {
        let schedule = ExponentialBuilder::default()
            .with_min_delay(FIRST_DELAY)
            .with_max_delay(LONGEST_DELAY)
            .with_max_times(retries as usize)
            .with_jitter();
        Self { delays: schedule.build(), schedule, first_contacts: MOST_FIRST_CONTACTS }
    }

    /// Something was achieved since the last failure: the whole budget is there again, also for a lost network.
    pub(crate) fn reset(&mut self) {
        self.delays = self.schedule.build();
        self.first_contacts = u32::MAX;
    }

    /// Waits before the next try, or gives `error` back when it is final, too long to wait for, or one too many.
    pub(crate) async fn pause(
        &mut self,
        error: HubError,
        cancel: &CancellationToken,
    ) -> Result<(), HubError> {
        let Some(delay) = self.delay(&error) else { return Err(error) };
        cancel.run_until_cancelled(tokio::time::sleep(delay)).await.ok_or(HubError::Cancelled)
    }

    fn delay(&mut self, error: &HubError) -> Option<Duration> {
        let asked = match error {
            HubError::RateLimited { retry_after, .. } => retry_after.unwrap_or_default(),
            other if is_connect(other) => {
                self.first_contacts = self.first_contacts.checked_sub(1)?;
                Duration::ZERO
            }
            other if other.is_transient() => Duration::ZERO,
            _ => return None,
        };
        if asked > LONGEST_WAIT {
            return None;
        }
        self.delays.next().map(|delay| asked + delay)
    }
}

/// Whether no connection came about: no such host, refused, unreachable, or TLS failed.
fn is_connect(error: &HubError) -> bool {
    let HubError::Network { source, .. } = error else { return false };
    source.downcast_ref::<reqwest::Error>().is_some_and(reqwest::Error::is_connect)
}

/// How long the server asks to wait: an exhausted `RateLimit` policy (IETF draft 9: `"api";r=0;t=57`), else `Retry-After`.
pub(crate) fn retry_after(headers: &HeaderMap, now: SystemTime) -> Option<Duration> {
    let exhausted = headers.get("ratelimit").and_then(|value| value.to_str().ok()).and_then(exhausted_policy);
    exhausted.or_else(|| {
        let value = headers.get(RETRY_AFTER)?.to_str().ok()?.trim();
        let seconds = value.parse().ok().map(Duration::from_secs);
        seconds
            .or_else(|| Some(httpdate::parse_http_date(value).ok()?.duration_since(now).unwrap_or_default()))
    })
}

/// The longest reset time among the policies with nothing remaining.
fn exhausted_policy(value: &str) -> Option<Duration> {
    let resets = value.split(',').filter(|policy| parameter(policy, "r") == Some(0));
    resets.filter_map(|policy| parameter(policy, "t")).max().map(Duration::from_secs)
}

fn parameter(policy: &str, name: &str) -> Option<u64> {
    let pairs = policy.split(';').filter_map(|pair| pair.split_once('='));
    pairs.filter(|(key, _)| key.trim() == name).find_map(|(_, value)| value.trim().parse().ok())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::client::HubOptions;
    use crate::http::Http;

    fn server_error() -> HubError {
        HubError::Http { status: 503, url: String::new(), message: String::new() }
    }

    fn limited(seconds: u64) -> HubError {
        HubError::RateLimited { retry_after: Some(Duration::from_secs(seconds)), url: String::new() }
    }

    fn headers(name: &'static str, value: &str) -> HeaderMap {
        HeaderMap::from_iter([(name.parse().unwrap(), value.parse().unwrap())])
    }

    #[test]
    fn delays_double_up_to_the_cap_and_end() {
        let mut retry = Retry::new(7);
        let delays: Vec<_> = std::iter::from_fn(|| retry.delay(&server_error())).collect();
        assert_eq!(delays.len(), 7);
        for (delay, base) in delays.iter().zip([250, 500, 1000, 2000, 4000, 8000, 8000]) {
            assert!((base..=2 * base).contains(&delay.as_millis()), "{delay:?} for {base} ms");
        }
    }

    #[test]
    fn progress_gives_the_budget_back() {
        let mut retry = Retry::new(1);
        assert!(retry.delay(&server_error()).is_some());
        assert!(retry.delay(&server_error()).is_none());
        retry.reset();
        assert!(retry.delay(&server_error()).is_some());
    }

    #[tokio::test]
    async fn a_network_that_was_never_there_is_given_up_early() {
        let port = std::net::TcpListener::bind(("127.0.0.1", 0)).unwrap().local_addr().unwrap().port();
        let endpoint = format!("http://127.0.0.1:{port}");
        let http = Http::new(HubOptions { endpoint: endpoint.clone(), ..HubOptions::default() }).unwrap();
        let (url, cancel) = (endpoint.parse().unwrap(), CancellationToken::new());
        let mut retry = Retry::new(5);
        let mut tries = 0;
        let mut again = async |retry: &mut Retry| {
            tries += 1;
            retry.delay(&http.get(&url, None, &cancel).await.unwrap_err()).is_some()
        };
        while again(&mut retry).await {}
        retry.reset();
        while again(&mut retry).await {}
        assert_eq!(tries, 3 + 6);
    }

    #[test]
    fn waits_as_long_as_asked_but_not_for_minutes() {
        let mut retry = Retry::new(5);
        assert!(retry.delay(&limited(7)).unwrap() >= Duration::from_secs(7));
        assert!(retry.delay(&limited(299)).is_none());
    }

    #[test]
    fn final_errors_are_not_tried_again() {
        let refused = HubError::Unauthorized { url: String::new(), message: String::new() };
        assert!(Retry::new(5).delay(&refused).is_none());
    }

    #[test]
    fn reads_the_three_ways_to_ask_for_a_wait() {
        let now = httpdate::parse_http_date("Sun, 06 Nov 1994 08:49:37 GMT").unwrap();
        let wait = |name, value: &str| retry_after(&headers(name, value), now).map(|wait| wait.as_secs());
        assert_eq!(wait("ratelimit", "\"resolvers\";r=0;t=57"), Some(57));
        assert_eq!(wait("ratelimit", "\"api\"; r=0; t=3, \"pages\";r=0;t=9, \"x\";r=1;t=80"), Some(9));
        assert_eq!(wait("ratelimit", "\"api\";r=12;t=57"), None);
        assert_eq!(wait("retry-after", "120"), Some(120));
        assert_eq!(wait("retry-after", "Sun, 06 Nov 1994 08:50:07 GMT"), Some(30));
        assert_eq!(wait("retry-after", "Sun, 06 Nov 1994 08:00:00 GMT"), Some(0));
        assert_eq!(wait("retry-after", "soon"), None);
    }
}
