//! Listing a repository: model info in one request, the tree where that is not enough.

use std::sync::Arc;
use std::time::Duration;

use reqwest::{Response, StatusCode};
use serde::de::DeserializeOwned;
use tokio::time::{Instant, timeout_at};
use tokio_util::sync::CancellationToken;
use url::Url;

use crate::endpoint::redacted;
use crate::error::HubError;
use crate::http::{Http, network};
use crate::listing::{ListedFile, Listing, is_safe_path};
use crate::model_info::ModelInfo;
use crate::name::{check_repo, check_revision};
use crate::promise;
use crate::redirect::Trail;
use crate::refusal::{Subject, refusal};
use crate::retry::Retry;
use crate::sibling::{Sibling, Siblings};
use crate::tree;

/// Bounds the memory a wrong server can take; a listing of a million files has about 300 MB.
const LARGEST_ANSWER: usize = 1 << 30;
/// A file of more than 4 TiB is none: no store has that much, and nobody could add up the sizes of such files.
const LARGEST_FILE: u64 = 4 << 40;
/// An answer that brings less than this (64 KiB) in the time for which a server may be silent is as good as silence.
const LIFE: usize = 64 << 10;

pub(crate) async fn scan(
    http: &Arc<Http>,
    retries: u32,
    repo: &str,
    revision: &str,
    cancel: &CancellationToken,
) -> Result<Listing, HubError> {
    let url = listing_url(http, repo, revision)?;
    let ask = Ask { http, retries, subject: Subject::Revision { repo, revision }, cancel };
    listing(&ask, repo, &url, ask.json(&url).await?).await
}

/// As [`scan`], once and without patience; `None` when the listing with this `etag` is still the newest.
pub(crate) async fn rescan(
    http: &Arc<Http>,
    repo: &str,
    revision: &str,
    etag: Option<&str>,
    cancel: &CancellationToken,
) -> Result<Option<Listing>, HubError> {
    let url = listing_url(http, repo, revision)?;
    let ask = Ask { http, retries: 0, subject: Subject::Revision { repo, revision }, cancel };
    match ask.news(&url, etag).await? {
        Some(info) => listing(&ask, repo, &url, info).await.map(Some),
        None => Ok(None),
    }
}

fn listing_url(http: &Http, repo: &str, revision: &str) -> Result<Url, HubError> {
    check_repo(repo)?;
    check_revision(revision)?;
    http.endpoint.model_info(repo, revision)
}

/// The listing that model info tells, with the tree's help where it lacks sizes or digests.
async fn listing(
    ask: &Ask<'_>,
    asked: &str,
    url: &Url,
    answer: Answer<ModelInfo>,
) -> Result<Listing, HubError> {
    let Answer { body: mut info, etag, .. } = answer;
    let commit = commit(&info, url)?;
    let repo = canonical_repo(&info, asked);
    let is_whole = |Siblings(files): &Siblings| files.iter().all(|file| file.content().is_some());
    let siblings = match info.siblings.take().filter(is_whole) {
        Some(Siblings(files)) => files,
        None => promise::complete(ask, &repo, &commit, tree::files(ask, &repo, &commit).await?).await?,
    };
    let at = url.clone();
    let sorted = tokio::task::spawn_blocking(move || sort_out(siblings, &at)).await;
    let (files, refused) = sorted.map_err(|stopped| network(url, stopped.into()))??;
    Ok(Listing {
        commit,
        etag,
        gated: info.gated,
        license: info.license(),
        hints: info.hints(&repo),
        pipeline_task: info.pipeline_tag,
        library_name: info.library_name,
        tags: info.tags,
        repo,
        files,
        refused,
    })
}

/// A commit is 40 (git's SHA-1) or 64 (its SHA-256) hex digits; everything after the scan is pinned to it.
fn commit(info: &ModelInfo, url: &Url) -> Result<String, HubError> {
    let sha = info.sha.as_deref().unwrap_or_default();
    if matches!(sha.len(), 40 | 64) && sha.bytes().all(|digit| digit.is_ascii_hexdigit()) {
        return Ok(sha.to_ascii_lowercase());
    }
    Err(no_listing(url, "a commit id in \"sha\"", &format!("{sha:?}")))
}

fn canonical_repo(info: &ModelInfo, asked: &str) -> String {
    let named = info.id.as_ref().or(info.model_id.as_ref());
    named.filter(|id| check_repo(id).is_ok()).map_or_else(|| asked.to_owned(), Clone::clone)
}

/// A listing of a million files takes a second to sort: call it on a blocking thread.
fn sort_out(siblings: Vec<Sibling>, url: &Url) -> Result<(Vec<ListedFile>, Vec<String>), HubError> {
    let (safe, refused): (Vec<_>, Vec<_>) = siblings.into_iter().partition(|file| is_safe_path(file.path()));
    let listed = |file: Sibling| {
        let (size, digest) = file.content().ok_or_else(|| {
            no_listing(url, "a size and a digest for every file", &format!("none for {:?}", file.path()))
        })?;
        if size > LARGEST_FILE {
            let actual = format!("{size} bytes for {:?}", file.path());
            return Err(no_listing(url, "files of at most 4 TiB", &actual));
        }
        Ok(ListedFile { path: file.into_path(), size, digest })
    };
    let mut files = safe.into_iter().map(listed).collect::<Result<Vec<_>, _>>()?;
    files.sort_by(|a, b| a.path.cmp(&b.path));
    files.dedup_by(|a, b| a.path == b.path);
    Ok((files, refused.into_iter().map(Sibling::into_path).collect()))
}

pub(crate) fn no_listing(url: &Url, expected: &str, actual: &str) -> HubError {
    HubError::Integrity { url: redacted(url), expected: expected.to_owned(), actual: actual.to_owned() }
}

/// Requests to the Hub's API about one repository.
pub(crate) struct Ask<'a> {
    pub(crate) http: &'a Http,
    pub(crate) retries: u32,
    pub(crate) subject: Subject<'a>,
    pub(crate) cancel: &'a CancellationToken,
}

/// What whoever asks has already: nothing, or an earlier answer and its `ETag`.
#[derive(Clone, Copy)]
enum Known<'a> {
    Nothing,
    Earlier(Option<&'a str>),
}

/// A parsed answer and the headers beside it.
pub(crate) struct Answer<T> {
    pub(crate) body: T,
    pub(crate) link: Option<String>,
    pub(crate) etag: Option<String>,
}

impl Ask<'_> {
    /// The JSON at `url`, after retries and redirects, which mirrors send to other Hubs (the token stays behind).
    pub(crate) async fn json<T: DeserializeOwned + Send + 'static>(
        &self,
        url: &Url,
    ) -> Result<Answer<T>, HubError> {
        let mut retry = Retry::new(self.retries);
        loop {
            let answer = async {
                let (url, response) = self.follow(url, Known::Nothing).await?;
                self.read(&url, response, self.http.stall_timeout).await
            };
            match answer.await {
                Ok(answer) => return Ok(answer),
                Err(error) => retry.pause(error, self.cancel).await?,
            }
        }
    }

    /// The JSON at `url`; `None` when it is still what had this `etag`.
    async fn news<T: DeserializeOwned + Send + 'static>(
        &self,
        url: &Url,
        etag: Option<&str>,
    ) -> Result<Option<Answer<T>>, HubError> {
        let (url, response) = self.follow(url, Known::Earlier(etag)).await?;
        if etag.is_some() && response.status() == StatusCode::NOT_MODIFIED {
            return Ok(None);
        }
        self.read(&url, response, self.http.news_timeout()).await.map(Some)
    }

    async fn read<T: DeserializeOwned + Send + 'static>(
        &self,
        url: &Url,
        response: Response,
        limit: Duration,
    ) -> Result<Answer<T>, HubError> {
        if !response.status().is_success() {
            return Err(refusal(self.http, url, response, self.subject, self.cancel).await);
        }
        let status = response.status().as_u16();
        let header = |name: &str| response.headers().get(name)?.to_str().ok().map(str::to_owned);
        let (link, etag) = (header("link"), header("etag"));
        let bytes = self.body(url, response, limit).await?;
        let parsed = tokio::task::spawn_blocking(move || serde_json::from_slice(&bytes)).await;
        let parsed = parsed.map_err(|stopped| network(url, stopped.into()))?;
        let body = parsed.map_err(|error| HubError::Http {
            status,
            url: redacted(url),
            message: format!("the answer is not what a Hub sends ({error}); check the endpoint"),
        })?;
        Ok(Answer { body, link, etag })
    }

    async fn follow(&self, url: &Url, known: Known<'_>) -> Result<(Url, Response), HubError> {
        let mut trail = Trail::default();
        let mut url = url.clone();
        loop {
            let response = match known {
                Known::Nothing => self.http.get(&url, None, self.cancel).await?,
                Known::Earlier(etag) => self.http.get_news(&url, etag, self.cancel).await?,
            };
            match trail.next(&url, &response)? {
                Some(next) => url = next,
                None => return Ok((url, response)),
            }
        }
    }

    /// The body, which never brings less than `LIFE` within `limit` but at its end.
    async fn body(&self, url: &Url, mut response: Response, limit: Duration) -> Result<Vec<u8>, HubError> {
        let (mut body, mut alive_at, mut alive_with) = (Vec::new(), Instant::now(), 0);
        loop {
            let chunk = self.http.chunk(url, &mut response, self.cancel);
            let chunk = timeout_at(alive_at + limit, chunk).await;
            let Some(chunk) = chunk.map_err(|_| self.http.slow(url, limit))?? else { return Ok(body) };
            if body.len() + chunk.len() > LARGEST_ANSWER {
                return Err(no_listing(url, "a listing of at most 1 GiB", "a longer one"));
            }
            body.extend_from_slice(&chunk);
            if body.len() - alive_with >= LIFE {
                (alive_at, alive_with) = (Instant::now(), body.len());
            }
        }
    }
}
