//! A refusing response turned into the error that says what to do.

use std::time::SystemTime;

use reqwest::Response;
use reqwest::header::HeaderMap;
use tokio_util::sync::CancellationToken;
use url::Url;

use crate::endpoint::redacted;
use crate::error::HubError;
use crate::http::Http;
use crate::retry::retry_after;

/// What a request was about.
#[derive(Clone, Copy)]
pub(crate) enum Subject<'a> {
    /// A repository's listing at a revision.
    Revision { repo: &'a str, revision: &'a str },
    /// A file's address, asked of the Hub.
    File { repo: &'a str, revision: &'a str, path: &'a str },
    /// A file's bytes, asked of the server the Hub named.
    Bytes,
}

/// The error of a response that is neither a success nor a followed redirect.
pub(crate) async fn refusal(
    http: &Http,
    url: &Url,
    response: Response,
    subject: Subject<'_>,
    cancel: &CancellationToken,
) -> HubError {
    let status = response.status().as_u16();
    if status == 429 {
        return HubError::RateLimited {
            retry_after: retry_after(response.headers(), SystemTime::now()),
            url: redacted(url),
        };
    }
    let code = text(response.headers(), "x-error-code").unwrap_or_default();
    let message = message(http, url, response, cancel).await;
    classify(http, redacted(url), status, &code, message, subject)
}

/// The Hub's rules (`X-Error-Code`, and the two messages that have no code), with the bare status for servers that
/// send none. A 401 without a code hides whether the repository exists.
fn classify(
    http: &Http,
    url: String,
    status: u16,
    code: &str,
    message: String,
    subject: Subject<'_>,
) -> HubError {
    if matches!(subject, Subject::Bytes) {
        return HubError::Http { status, url, message };
    }
    let bad_token = http.has_token() && message.contains("Invalid credentials");
    match (status, code, subject) {
        (401 | 403, "GatedRepo", Subject::Revision { repo, .. } | Subject::File { repo, .. }) => {
            HubError::Gated { repo: repo.to_owned(), page: http.endpoint.page(repo) }
        }
        (401, _, _) if bad_token => HubError::Unauthorized { url, message },
        (403, _, _) if message.contains("Access to this resource is disabled") => {
            HubError::Http { status, url, message: format!("{message} (the Hub disabled this repository)") }
        }
        (
            _,
            "RevisionNotFound",
            Subject::Revision { repo, revision } | Subject::File { repo, revision, .. },
        ) => HubError::RevisionNotFound { repo: repo.to_owned(), revision: revision.to_owned(), url },
        (_, "EntryNotFound", Subject::File { repo, revision, path })
        | (404, "", Subject::File { repo, revision, path }) => HubError::FileNotFound {
            repo: repo.to_owned(),
            path: path.to_owned(),
            revision: revision.to_owned(),
            url,
        },
        (401, _, Subject::Revision { repo, .. } | Subject::File { repo, .. })
        | (_, "RepoNotFound", Subject::Revision { repo, .. } | Subject::File { repo, .. })
        | (404, "", Subject::Revision { repo, .. }) => HubError::RepoNotFound { repo: repo.to_owned(), url },
        (401 | 403, _, _) => HubError::Unauthorized { url, message },
        _ => HubError::Http { status, url, message },
    }
}

/// `X-Error-Message`, else the JSON body's `error`, else the status' own name.
async fn message(http: &Http, url: &Url, response: Response, cancel: &CancellationToken) -> String {
    let name = response.status().canonical_reason().unwrap_or("no reason given");
    let said = match text(response.headers(), "x-error-message") {
        Some(message) => Some(message),
        None => error_of_body(http, url, response, cancel).await,
    };
    said.map_or_else(|| name.to_owned(), |message| printable(&http.without_secrets(&message, url)))
}

async fn error_of_body(
    http: &Http,
    url: &Url,
    mut response: Response,
    cancel: &CancellationToken,
) -> Option<String> {
    // The first chunk holds any error object whole; a longer body is a page for people.
    let body = http.chunk(url, &mut response, cancel).await.ok().flatten()?;
    let body: serde_json::Value = serde_json::from_slice(&body).ok()?;
    body.get("error")?.as_str().map(str::to_owned)
}

fn text(headers: &HeaderMap, name: &str) -> Option<String> {
    headers.get(name)?.to_str().ok().map(str::to_owned)
}

/// A server's words as one short line.
fn printable(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).take(300).collect()
}
