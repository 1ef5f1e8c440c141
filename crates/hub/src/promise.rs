//! What the Hub promises of a file whose size or digest the listing does not tell: it stands beside the file's address.

use reqwest::header::HeaderMap;

use crate::error::HubError;
use crate::listing::{Digest, is_safe_path};
use crate::redirect::Trail;
use crate::refusal::{Subject, refusal};
use crate::retry::Retry;
use crate::scan::Ask;
use crate::sibling::Sibling;

/// Most files that are asked for one by one; a listing that lacks more is none.
const MOST_ASKED: usize = 64;

/// Size and digest of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Promise {
    pub(crate) size: Option<u64>,
    pub(crate) digest: Digest,
}

/// Asks for what the files of a commit lack. Where the Hub refuses one (a gated repository) that is the answer.
pub(crate) async fn complete(
    ask: &Ask<'_>,
    repo: &str,
    commit: &str,
    mut files: Vec<Sibling>,
) -> Result<Vec<Sibling>, HubError> {
    let lacks = |file: &Sibling| file.content().is_none() && is_safe_path(file.path());
    if files.iter().filter(|file| lacks(file)).count() > MOST_ASKED {
        return Ok(files);
    }
    for file in files.iter_mut().filter(|file| lacks(file)) {
        if let Some(promise) = of(ask, repo, commit, file.path()).await? {
            file.believe(promise);
        }
    }
    Ok(files)
}

/// After retries.
async fn of(ask: &Ask<'_>, repo: &str, commit: &str, path: &str) -> Result<Option<Promise>, HubError> {
    let mut retry = Retry::new(ask.retries);
    loop {
        match once(ask, repo, commit, path).await {
            Err(error) => retry.pause(error, ask.cancel).await?,
            promise => return promise,
        }
    }
}

/// The promise of the first answer that has one, on the way through the endpoint's own addresses.
async fn once(ask: &Ask<'_>, repo: &str, commit: &str, path: &str) -> Result<Option<Promise>, HubError> {
    let Ask { http, cancel, .. } = ask;
    let mut url = http.endpoint.resolve(repo, commit, path)?;
    let mut trail = Trail::default();
    loop {
        let response = http.get(&url, Some(&(0..1)), cancel).await?;
        let next = trail.next(&url, &response)?;
        if next.is_none() && !response.status().is_success() {
            let subject = Subject::File { repo, revision: commit, path };
            return Err(refusal(http, &url, response, subject, cancel).await);
        }
        let promise = linked(response.headers());
        match next.filter(|next| http.endpoint.owns(next)) {
            Some(next) if promise.is_none() => url = next,
            _ => return Ok(promise),
        }
    }
}

/// Headers that are absent (mirrors) or of another form promise nothing.
pub(crate) fn linked(headers: &HeaderMap) -> Option<Promise> {
    let digest = header(headers, "x-linked-etag").and_then(digest_of_etag)?;
    Some(Promise { size: linked_size(headers), digest })
}

pub(crate) fn linked_size(headers: &HeaderMap) -> Option<u64> {
    header(headers, "x-linked-size")?.parse().ok()
}

pub(crate) fn header<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name)?.to_str().ok().map(str::trim)
}

fn digest_of_etag(etag: &str) -> Option<Digest> {
    let digits = etag.trim_start_matches("W/").trim_matches('"');
    Digest::sha256(digits).or_else(|| Digest::git_sha1(digits))
}
