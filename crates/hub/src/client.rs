//! The client: options, and the two things it does.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use crate::error::HubError;
use crate::http::Http;
use crate::listing::Listing;
use crate::proxy::ProxyOptions;
use crate::scan;
use crate::transfer::{self, Bandwidth, Pool, RangeSink, Shared, TransferRequest};

/// How to reach a Hub.
#[derive(Clone)]
pub struct HubOptions {
    /// Base URL; a path prefix is kept, trailing slashes are not. Default `https://huggingface.co`.
    pub endpoint: String,
    /// Access token, sent to the endpoint's own scheme, host and port and nowhere else. Default none.
    pub token: Option<String>,
    /// `User-Agent` of every request; a distinctive one keeps caches in front of the Hub from mixing up answers.
    /// Default `tabagent-model-cache/<version>`.
    pub user_agent: String,
    /// Most connections that carry file bytes at once, over all transfers of the client; 1 to 64. Default 8.
    pub connections: usize,
    /// How long a server may stay silent, over all connections of a transfer, before that counts as failed. A single connection
    /// that stalls loses what it has left within two seconds, at most half of this. Default 30 s.
    pub stall_timeout: Duration,
    /// Failures in a row, without any progress between them, that are tried again. Default 5.
    pub retries: u32,
    /// Most bytes per second that all transfers of the client receive together. Default no limit.
    pub max_bytes_per_second: Option<u64>,
    /// Proxies of all requests. Default none.
    pub proxy: ProxyOptions,
    /// Files (or folders of files) with certificates in PEM form whose authorities are trusted besides the system's.
    /// Default none.
    pub certificate_authorities: Vec<PathBuf>,
}

impl Default for HubOptions {
    fn default() -> Self {
        Self {
            endpoint: "https://huggingface.co".to_owned(),
            token: None,
            user_agent: concat!("tabagent-model-cache/", env!("CARGO_PKG_VERSION")).to_owned(),
            connections: 8,
            stall_timeout: Duration::from_secs(30),
            retries: 5,
            max_bytes_per_second: None,
            proxy: ProxyOptions::default(),
            certificate_authorities: Vec::new(),
        }
    }
}

impl std::fmt::Debug for HubOptions {
    /// The token is never shown.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("HubOptions")
            .field("endpoint", &self.endpoint)
            .field("token", &self.token.as_ref().map(|_| "(hidden)"))
            .field("user_agent", &self.user_agent)
            .field("connections", &self.connections)
            .field("stall_timeout", &self.stall_timeout)
            .field("retries", &self.retries)
            .field("max_bytes_per_second", &self.max_bytes_per_second)
            .field("proxy", &self.proxy)
            .field("certificate_authorities", &self.certificate_authorities)
            .finish()
    }
}

/// A Hub at one endpoint. Clones share connections and the connection limit.
#[derive(Clone)]
pub struct HubClient {
    shared: Shared,
}

impl HubClient {
    /// Makes a client; nothing is sent.
    ///
    /// # Errors
    /// [`HubError::InvalidArgument`] for an endpoint, token, user agent, connection count, timeout, limit, proxy or
    /// certificate file that cannot be used.
    pub fn new(options: HubOptions) -> Result<Self, HubError> {
        if !(1..=64).contains(&options.connections) {
            return Err(invalid("connections", "it must be from 1 to 64"));
        }
        if options.stall_timeout.is_zero() {
            return Err(invalid("stall_timeout", "it must be longer than zero"));
        }
        if options.max_bytes_per_second == Some(0) {
            return Err(invalid("max_bytes_per_second", "it must be more than zero"));
        }
        let shared = Shared {
            pool: Arc::new(Pool::new(options.connections)),
            bandwidth: Arc::new(Bandwidth::new(options.max_bytes_per_second)),
            retries: options.retries,
            http: Arc::new(Http::new(options)?),
        };
        Ok(Self { shared })
    }

    /// The endpoint's base URL without trailing slash.
    #[must_use]
    pub fn endpoint(&self) -> &str {
        self.shared.http.endpoint.as_str()
    }

    /// Lists a repository at a branch, tag or commit: one request, or the paginated tree in addition when the answer
    /// lacks sizes or digests.
    ///
    /// # Errors
    /// [`HubError::InvalidArgument`] for a name that no repository or revision can have,
    /// [`HubError::RepoNotFound`], [`HubError::RevisionNotFound`], [`HubError::Unauthorized`] and [`HubError::Gated`]
    /// as the Hub says, [`HubError::RateLimited`], [`HubError::Network`] and [`HubError::Http`] after the retries,
    /// [`HubError::Integrity`] for a listing without usable digests, [`HubError::Cancelled`].
    pub async fn scan(
        &self,
        repo: &str,
        revision: &str,
        cancel: &CancellationToken,
    ) -> Result<Listing, HubError> {
        // Boxed: callers would carry its size in futures of their own.
        Box::pin(scan::scan(&self.shared.http, self.shared.retries, repo, revision, cancel)).await
    }

    /// Asks whether a repository that was listed before has changed: one request, conditional where the earlier listing had
    /// an `etag`. `None` when it has not. Whoever has a listing need not wait for another: there is no second try, and an
    /// answer that has not begun after 10 s counts as none.
    ///
    /// # Errors
    /// As [`scan`](Self::scan), without its retries.
    pub async fn rescan(
        &self,
        repo: &str,
        revision: &str,
        etag: Option<&str>,
        cancel: &CancellationToken,
    ) -> Result<Option<Listing>, HubError> {
        Box::pin(scan::rescan(&self.shared.http, repo, revision, etag, cancel)).await
    }

    /// Fetches the missing ranges of a file into `sink`: one request for the file's address, then ranged requests over
    /// as many connections as help. No write is under way any more when this returns.
    ///
    /// # Errors
    /// [`HubError::InvalidArgument`] for ranges that are not sorted, disjoint and inside the file; [`HubError::Integrity`]
    /// when the server's answer contradicts the request; [`HubError::Sink`] when the sink refuses bytes; the refusals
    /// that [`scan`](Self::scan) names, and [`HubError::FileNotFound`]. What was written before the error stays written.
    pub async fn transfer(
        &self,
        request: &TransferRequest,
        sink: Arc<dyn RangeSink>,
        cancel: &CancellationToken,
    ) -> Result<(), HubError> {
        transfer::run(&self.shared, request, sink, cancel).await
    }
}

impl std::fmt::Debug for HubClient {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("HubClient").field("endpoint", &self.endpoint()).finish_non_exhaustive()
    }
}

fn invalid(name: &'static str, message: &str) -> HubError {
    HubError::InvalidArgument { name, message: message.to_owned() }
}
