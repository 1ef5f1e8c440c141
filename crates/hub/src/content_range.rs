//! `Content-Range: bytes 0-1023/4096`.

use std::ops::Range;

use reqwest::header::{CONTENT_RANGE, HeaderMap};

/// What part of which whole a response carries.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct ContentRange {
    /// Bytes of the body; `None` in a 416 answer (`bytes */4096`).
    pub(crate) range: Option<Range<u64>>,
    /// Size of the whole; `None` when the server does not tell (`*`).
    pub(crate) total: Option<u64>,
}

impl ContentRange {
    /// `None` when the header is absent or malformed.
    pub(crate) fn of(headers: &HeaderMap) -> Option<Self> {
        Self::parse(headers.get(CONTENT_RANGE)?.to_str().ok()?)
    }

    fn parse(text: &str) -> Option<Self> {
        let (range, total) = text.trim().strip_prefix("bytes ")?.trim().split_once('/')?;
        let total = if total == "*" { None } else { Some(total.parse().ok()?) };
        if range == "*" {
            return Some(Self { range: None, total });
        }
        let (first, last) = range.split_once('-')?;
        let (first, last): (u64, u64) = (first.parse().ok()?, last.parse().ok()?);
        let end = last.checked_add(1).filter(|end| first < *end)?;
        Some(Self { range: Some(first..end), total })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_the_three_forms() {
        let parsed = |text| ContentRange::parse(text).unwrap();
        assert_eq!(parsed("bytes 0-9/10"), ContentRange { range: Some(0..10), total: Some(10) });
        assert_eq!(parsed("bytes 5-9/*"), ContentRange { range: Some(5..10), total: None });
        assert_eq!(parsed("bytes */10"), ContentRange { range: None, total: Some(10) });
    }

    #[test]
    fn refuses_anything_else() {
        for text in [
            "",
            "bytes",
            "bytes 0-9",
            "items 0-9/10",
            "bytes 9-0/10",
            "bytes -1/10",
            "bytes 0-18446744073709551615/9",
        ] {
            assert_eq!(ContentRange::parse(text), None, "{text}");
        }
    }
}
