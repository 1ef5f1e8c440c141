//! What can go wrong between this machine and a Hub, grouped by what the caller can do about it.

use std::time::Duration;

/// The error a [`RangeSink`](crate::RangeSink) gives; it is handed back unchanged in [`HubError::Sink`].
pub type SinkError = Box<dyn std::error::Error + Send + Sync>;

/// Why a Hub request did not give what was asked.
///
/// URLs in fields and messages carry neither query nor user name: the query of a signed URL is a credential.
#[derive(Debug, thiserror::Error)]
pub enum HubError {
    /// No such repository, or a private one that this token (or no token) may not see: the Hub does not tell these apart.
    #[error(
        "repository {repo} was not found at {url}: check its name and the endpoint; if it is private or gated, pass a token that may read it"
    )]
    RepoNotFound {
        /// Repository as asked for.
        repo: String,
        /// Request that was refused.
        url: String,
    },
    /// The repository exists, the branch, tag or commit does not.
    #[error("repository {repo} has no revision {revision} ({url}): name an existing branch, tag or commit")]
    RevisionNotFound {
        /// Repository as asked for.
        repo: String,
        /// Revision as asked for.
        revision: String,
        /// Request that was refused.
        url: String,
    },
    /// The revision exists and holds no file of that path.
    #[error("repository {repo} has no file {path} at revision {revision} ({url}): scan the repository again")]
    FileNotFound {
        /// Repository as asked for.
        repo: String,
        /// Path inside the repository.
        path: String,
        /// Revision as asked for.
        revision: String,
        /// Request that was refused.
        url: String,
    },
    /// The token is invalid, expired, or lacks the permission.
    #[error("{url} refused the credentials ({message}): pass a valid token with read access")]
    Unauthorized {
        /// Request that was refused.
        url: String,
        /// What the server said.
        message: String,
    },
    /// The repository's files are given only to accounts that asked for access.
    #[error("repository {repo} is gated: visit {page} to ask for access, then pass a token of that account")]
    Gated {
        /// Repository as asked for.
        repo: String,
        /// Page where access is granted.
        page: String,
    },
    /// The server's rate limit, after the waits this client was allowed to make.
    #[error("{url} limits the rate of requests{}: wait, or pass a token for a higher limit", again_in(*.retry_after))]
    RateLimited {
        /// How long the server asked to wait, when it said so.
        retry_after: Option<Duration>,
        /// Request that was refused.
        url: String,
    },
    /// No usable answer: name resolution, connection, TLS, a reset, or silence for longer than the stall timeout.
    #[error("{url} {}{}: {}; {}", failure(source.as_ref()), through(.proxy.as_deref()), root_cause(source.as_ref()), remedy(source.as_ref()))]
    Network {
        /// Request that failed.
        url: String,
        /// Host and port of the proxy it went through.
        proxy: Option<String>,
        /// Cause.
        source: SinkError,
    },
    /// Any other refusal, or an answer that is not the Hub protocol.
    #[error("{url} answered {status}: {message}")]
    Http {
        /// HTTP status code.
        status: u16,
        /// Request that was refused.
        url: String,
        /// What the server said, or what was wrong with its answer.
        message: String,
    },
    /// The server's answer contradicts what was asked or what the listing promised; its bytes were not used.
    #[error(
        "{url} sent something else than promised: expected {expected}, got {actual}; scan the repository again, or use another endpoint"
    )]
    Integrity {
        /// Request whose answer was wrong.
        url: String,
        /// What had to come.
        expected: String,
        /// What came.
        actual: String,
    },
    /// An argument that cannot be sent to any Hub.
    #[error("{name} is not valid: {message}")]
    InvalidArgument {
        /// Which argument.
        name: &'static str,
        /// What is wrong with it.
        message: String,
    },
    /// The caller's token was cancelled.
    #[error("the operation was cancelled")]
    Cancelled,
    /// The sink refused bytes; what it took before stays.
    #[error("the downloaded bytes could not be stored: {0}")]
    Sink(#[source] SinkError),
}

impl HubError {
    /// Whether asking again later can succeed without any change by the caller.
    #[must_use]
    pub fn is_transient(&self) -> bool {
        match self {
            Self::Network { .. } | Self::RateLimited { .. } => true,
            Self::Http { status, .. } => *status == 408 || *status >= 500,
            Self::RepoNotFound { .. }
            | Self::RevisionNotFound { .. }
            | Self::FileNotFound { .. }
            | Self::Unauthorized { .. }
            | Self::Gated { .. }
            | Self::Integrity { .. }
            | Self::InvalidArgument { .. }
            | Self::Cancelled
            | Self::Sink(_) => false,
        }
    }
}

/// The innermost error: what surrounds it only says that a request was sent.
fn root_cause<'a>(error: &'a (dyn std::error::Error + 'static)) -> &'a (dyn std::error::Error + 'static) {
    std::iter::successors(Some(error), |error| error.source()).last().unwrap_or(error)
}

fn failure(source: &(dyn std::error::Error + 'static)) -> &'static str {
    let reached = source.downcast_ref::<reqwest::Error>().is_none_or(|error| !error.is_connect());
    if reached { "did not answer completely" } else { "could not be reached" }
}

fn through(proxy: Option<&str>) -> String {
    proxy.map_or_else(String::new, |place| format!(" through the proxy {place}"))
}

fn remedy(source: &(dyn std::error::Error + 'static)) -> &'static str {
    match tls_error(root_cause(source)) {
        Some(rustls::Error::InvalidCertificate(_)) => {
            "if a private authority made that certificate, name the PEM file of the authority (certificate authority)"
        }
        _ => "check the network and the endpoint, then try again",
    }
}

/// An I/O error does not count the error it carries as its source.
fn tls_error<'a>(error: &'a (dyn std::error::Error + 'static)) -> Option<&'a rustls::Error> {
    let carried = error.downcast_ref::<std::io::Error>().and_then(std::io::Error::get_ref);
    carried.map_or_else(|| error.downcast_ref(), |inner| tls_error(inner))
}

fn again_in(retry_after: Option<Duration>) -> String {
    retry_after.map_or_else(String::new, |wait| format!(" (again in {} s)", wait.as_secs()))
}
