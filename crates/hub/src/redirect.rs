//! Redirects, followed by hand: the token must not travel, and a chain must end.

use std::collections::HashSet;

use reqwest::Response;
use reqwest::header::LOCATION;
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
        let status = response.status().as_u16();
        if !matches!(status, 301 | 302 | 303 | 307 | 308) {
            return Ok(None);
        }
        // Servers in front of a Hub write names of files there as they are, in UTF-8.
        let location =
            response.headers().get(LOCATION).and_then(|value| str::from_utf8(value.as_bytes()).ok());
        self.step(from, location).map(Some).map_err(|message| HubError::Http {
            status,
            url: redacted(from),
            message,
        })
    }

    pub(crate) fn step(&mut self, from: &Url, location: Option<&str>) -> Result<Url, String> {
        let location = location.ok_or("a redirect without a readable Location")?;
        let target = from.join(location).map_err(|_| "a redirect to an unreadable Location")?;
        if !matches!((from.scheme(), target.scheme()), ("http", "http" | "https") | ("https", "https")) {
            return Err(format!("a redirect from {} to {}, refused", from.scheme(), target.scheme()));
        }
        self.visited.insert(from.clone());
        if self.visited.contains(&target) || self.visited.len() > MOST_HOPS {
            return Err("a redirect loop".to_owned());
        }
        Ok(target)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn step(from: &str, location: &str) -> Result<String, String> {
        let from = Url::parse(from).unwrap();
        Trail::default().step(&from, Some(location)).map(|url| url.to_string())
    }

    #[test]
    fn follows_relative_absolute_and_scheme_relative_locations() {
        let from = "https://hub.example/a/b?c";
        assert_eq!(step(from, "/x?y=z").unwrap(), "https://hub.example/x?y=z");
        assert_eq!(step(from, "//cdn.example/x").unwrap(), "https://cdn.example/x");
        assert_eq!(step("http://hub.example/", "https://cdn.example/x").unwrap(), "https://cdn.example/x");
    }

    #[test]
    fn never_leaves_https_nor_the_web() {
        for location in ["http://hub.example/a", "http://cdn.example/x", "file:///etc/passwd", "javascript:0"]
        {
            let error = step("https://hub.example/a", location).unwrap_err();
            assert!(error.starts_with("a redirect from https to"), "{error}");
        }
    }

    #[test]
    fn ends_loops_also_of_one_hop() {
        assert!(step("https://hub.example/a", "/a").unwrap_err().contains("loop"));
    }
}
