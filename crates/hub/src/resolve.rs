//! Where a file's bytes are: `GET {endpoint}/{repo}/resolve/{commit}/{path}`, redirects followed by hand.
//!
//! The Hub's own responses on the way promise size and digest (`X-Linked-Size`, `X-Linked-Etag`, `X-Repo-Commit`); they
//! must agree with the listing. What the server behind them says about itself (its `ETag`) is another thing and ignored.

use std::ops::Range;

use reqwest::header::HeaderMap;
use reqwest::{Response, StatusCode};
use tokio_util::sync::CancellationToken;
use url::Url;

use crate::endpoint::redacted;
use crate::error::HubError;
use crate::http::Http;
use crate::promise::{self, Promise};
use crate::redirect::Trail;
use crate::refusal::{Subject, refusal};
use crate::transfer::TransferRequest;

/// Where the Hub sends the client for a file.
pub(crate) enum Resolved {
    /// To another origin; nothing was asked there yet.
    Elsewhere(Url),
    /// Nowhere: the Hub itself answered the ranged request.
    Here(Url, Response),
}

/// Asks the Hub for `range` of the file, and follows it inside the endpoint's origin.
pub(crate) async fn resolve(
    http: &Http,
    request: &TransferRequest,
    range: &Range<u64>,
    cancel: &CancellationToken,
) -> Result<Resolved, HubError> {
    let mut url = http.endpoint.resolve(&request.repo, &request.commit, &request.path)?;
    let mut trail = Trail::default();
    loop {
        let response = http.get(&url, Some(range), cancel).await?;
        let next = trail.next(&url, &response)?;
        if next.is_none() && !is_answer(response.status()) {
            return Err(refusal(http, &url, response, subject(request), cancel).await);
        }
        check_promises(&url, response.headers(), request)?;
        match next {
            None => return Ok(Resolved::Here(url, response)),
            Some(next) if http.endpoint.owns(&next) => url = next,
            Some(next) => return Ok(Resolved::Elsewhere(next)),
        }
    }
}

/// 416 answers the range, not the request: what it says about the file's size is judged with the other answers.
fn is_answer(status: StatusCode) -> bool {
    status.is_success() || status == StatusCode::RANGE_NOT_SATISFIABLE
}

pub(crate) fn subject(request: &TransferRequest) -> Subject<'_> {
    Subject::File { repo: &request.repo, revision: &request.commit, path: &request.path }
}

fn check_promises(url: &Url, headers: &HeaderMap, request: &TransferRequest) -> Result<(), HubError> {
    let differs =
        |expected: String, actual: String| HubError::Integrity { url: redacted(url), expected, actual };
    if let Some(size) = promise::linked_size(headers).filter(|size| *size != request.size) {
        return Err(differs(format!("{} bytes", request.size), format!("{size} bytes")));
    }
    if let Some(Promise { digest, .. }) = promise::linked(headers).filter(|it| it.digest != request.digest) {
        return Err(differs(request.digest.to_string(), digest.to_string()));
    }
    match promise::header(headers, "x-repo-commit") {
        Some(commit) if !commit.eq_ignore_ascii_case(&request.commit) => {
            Err(differs(format!("commit {}", request.commit), format!("commit {commit}")))
        }
        _ => Ok(()),
    }
}
