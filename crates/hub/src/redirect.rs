//! Redirects, followed by hand: the token must not travel, and a chain must end.

use std::collections::HashSet;

use reqwest::header::LOCATION;
use reqwest::{Response, StatusCode};
use url::Url;

use crate::endpoint::redacted;
use crate::error::HubError;

const MOST_HOPS: usize = 10;

/// The addresses one request has gone through.
#[derive(Default)]
pub(crate) struct Trail {
    visited: HashSet<Url>,
}

impl Trail {
    /// Where the response to `from` sends the client; `None` when it is no redirect.
    pub(crate) fn next(&mut self, from: &Url, response: &Response) -> Result<Option<Url>, HubError> {
        if !is_redirect(response.status()) {
            return Ok(None);
        }
        let refuse = |message: &str| HubError::Http {
            status: response.status().as_u16(),
            url: redacted(from),
            message: message.to_owned(),
        };
        let location = response.headers().get(LOCATION).and_then(|value| value.to_str().ok());
        let location = location.ok_or_else(|| refuse("a redirect without a readable Location"))?;
        let target = from.join(location).map_err(|_| refuse("a redirect to an unreadable Location"))?;
        if !matches!((from.scheme(), target.scheme()), ("http", "http" | "https") | ("https", "https")) {
            return Err(refuse("a redirect away from https, refused"));
        }
        self.visited.insert(from.clone());
        if self.visited.contains(&target) || self.visited.len() > MOST_HOPS {
            return Err(refuse("a redirect loop"));
        }
        Ok(Some(target))
    }
}

fn is_redirect(status: StatusCode) -> bool {
    matches!(status.as_u16(), 301 | 302 | 303 | 307 | 308)
}
