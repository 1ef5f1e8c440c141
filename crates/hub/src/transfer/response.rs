//! Whether a response may be used for the range that was asked.

use std::ops::Range;

use reqwest::Response;
use tokio_util::sync::CancellationToken;
use url::Url;

use super::TransferRequest;
use super::source::Opened;
use crate::content_range::ContentRange;
use crate::endpoint::redacted;
use crate::error::HubError;
use crate::http::Http;
use crate::refusal::{Subject, refusal};
use crate::resolve;

/// Which part of the file the body holds.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Extent {
    /// The part that was asked, or the beginning of it.
    Part(Range<u64>),
    /// The whole file, although a part was asked.
    Whole,
}

/// Why a response cannot be used.
pub(crate) enum Refused {
    /// Its address has expired; resolving again may help. The error is for when it does not.
    Expired(HubError),
    /// Anything else.
    Error(HubError),
}

impl From<HubError> for Refused {
    fn from(error: HubError) -> Self {
        Self::Error(error)
    }
}

/// Checks status, `Content-Range` and length against what was asked. An unusable response is consumed.
pub(crate) async fn accept(
    http: &Http,
    request: &TransferRequest,
    asked: &Range<u64>,
    opened: Opened,
    cancel: &CancellationToken,
) -> Result<(Extent, Opened), Refused> {
    match opened.response.status().as_u16() {
        206 => Ok((Extent::Part(part(&opened.url, &opened.response, asked, request.size)?), opened)),
        200 => match opened.response.content_length() {
            Some(length) if length != request.size => {
                Err(differs(&opened.url, bytes(request.size), bytes(length)).into())
            }
            _ => Ok((Extent::Whole, opened)),
        },
        416 => Err(differs(&opened.url, bytes(request.size), whole_size(&opened.response)).into()),
        status => {
            let Opened { url, response, .. } = opened;
            let subject = if http.endpoint.owns(&url) { resolve::subject(request) } else { Subject::Bytes };
            let error = refusal(http, &url, response, subject, cancel).await;
            Err(if matches!(status, 401 | 403 | 410) {
                Refused::Expired(error)
            } else {
                Refused::Error(error)
            })
        }
    }
}

fn whole_size(response: &Response) -> String {
    let total = ContentRange::of(response.headers()).and_then(|answer| answer.total);
    total.map_or_else(|| "a file without that range".to_owned(), bytes)
}

fn part(url: &Url, response: &Response, asked: &Range<u64>, size: u64) -> Result<Range<u64>, HubError> {
    let expected = || format!("bytes {}-{}/{size}", asked.start, asked.end.saturating_sub(1));
    let found = || {
        let header = response.headers().get("content-range").and_then(|value| value.to_str().ok());
        header.unwrap_or("no Content-Range").to_owned()
    };
    let range = match ContentRange::of(response.headers()) {
        Some(ContentRange { range: Some(range), total }) if total.is_none_or(|total| total == size) => range,
        _ => return Err(differs(url, expected(), found())),
    };
    if range.start != asked.start || range.end > asked.end {
        return Err(differs(url, expected(), found()));
    }
    match response.content_length() {
        Some(length) if length != range.end - range.start => {
            Err(differs(url, bytes(range.end - range.start), bytes(length)))
        }
        _ => Ok(range),
    }
}

fn differs(url: &Url, expected: String, actual: String) -> HubError {
    HubError::Integrity { url: redacted(url), expected, actual }
}

fn bytes(count: u64) -> String {
    format!("{count} bytes")
}
