//! The address of a Hub: normalization, the URLs below it, and which origin may see the token.

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use url::Url;

use crate::error::HubError;

/// Everything but RFC 3986 "unreserved": a revision such as `refs/pr/3` must stay one path segment.
const SEGMENT: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~');

/// A Hub's base URL without trailing slash; it may have a path (a mirror behind a prefix).
#[derive(Debug, Clone)]
pub(crate) struct Endpoint {
    base: String,
    url: Url,
}

impl Endpoint {
    pub(crate) fn parse(text: &str) -> Result<Self, HubError> {
        let trimmed = text.trim().trim_end_matches('/');
        let url = Url::parse(trimmed).map_err(|error| invalid(&error.to_string()))?;
        if !matches!(url.scheme(), "http" | "https") || !url.has_host() {
            return Err(invalid("it must begin with http:// or https:// and name a host"));
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err(invalid("it must not hold a user name or password; pass a token instead"));
        }
        if url.query().is_some() || url.fragment().is_some() {
            return Err(invalid("it must have neither query nor fragment"));
        }
        let base = url.as_str().trim_end_matches('/').to_owned();
        Ok(Self { base, url })
    }

    pub(crate) fn as_str(&self) -> &str {
        &self.base
    }

    /// Whether `url` has the endpoint's scheme, host and port: the only place the token may go.
    pub(crate) fn owns(&self, url: &Url) -> bool {
        self.url.origin() == url.origin()
    }

    pub(crate) fn model_info(&self, repo: &str, revision: &str) -> Result<Url, HubError> {
        self.join(&format!("api/models/{repo}/revision/{}?blobs=true", encode(revision)))
    }

    pub(crate) fn tree(&self, repo: &str, revision: &str) -> Result<Url, HubError> {
        self.join(&format!("api/models/{repo}/tree/{}?recursive=true&expand=false", encode(revision)))
    }

    pub(crate) fn resolve(&self, repo: &str, revision: &str, path: &str) -> Result<Url, HubError> {
        let path: Vec<String> = path.split('/').map(encode).collect();
        self.join(&format!("{repo}/resolve/{}/{}", encode(revision), path.join("/")))
    }

    /// The page of a repository for people.
    pub(crate) fn page(&self, repo: &str) -> String {
        format!("{}/{repo}", self.base)
    }

    fn join(&self, tail: &str) -> Result<Url, HubError> {
        Url::parse(&format!("{}/{tail}", self.base)).map_err(|error| invalid(&error.to_string()))
    }
}

fn encode(segment: &str) -> String {
    utf8_percent_encode(segment, SEGMENT).to_string()
}

fn invalid(message: &str) -> HubError {
    HubError::InvalidArgument { name: "endpoint", message: message.to_owned() }
}

/// `url` as it may appear in a message: no query, no fragment, no user name or password.
pub(crate) fn redacted(url: &Url) -> String {
    let path = if url.cannot_be_a_base() { "" } else { url.path() };
    format!("{}{path}", url.origin().ascii_serialization())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn strips_slashes_and_keeps_a_prefix() {
        let endpoint = Endpoint::parse("https://mirror.example/hub//").unwrap();
        assert_eq!(endpoint.as_str(), "https://mirror.example/hub");
        let url = endpoint.resolve("a/b", "refs/pr/3", "x y/[1]#?%.bin").unwrap();
        assert_eq!(
            url.as_str(),
            "https://mirror.example/hub/a/b/resolve/refs%2Fpr%2F3/x%20y/%5B1%5D%23%3F%25.bin"
        );
    }

    #[test]
    fn owns_only_its_scheme_host_and_port() {
        let endpoint = Endpoint::parse("https://hub.example").unwrap();
        let owns = |text: &str| endpoint.owns(&Url::parse(text).unwrap());
        assert!(owns("https://hub.example:443/x"));
        assert!(!owns("http://hub.example/x"));
        assert!(!owns("https://hub.example:8443/x"));
        assert!(!owns("https://cdn.hub.example/x"));
        assert!(!owns("https://hub.example@evil.example/x"));
    }

    #[test]
    fn refuses_what_is_no_endpoint() {
        for text in
            ["", "hub.example", "ftp://hub.example", "https://user:secret@hub.example", "https://h/?a=b"]
        {
            let error = Endpoint::parse(text).unwrap_err();
            assert!(matches!(error, HubError::InvalidArgument { name: "endpoint", .. }), "{text}");
            assert!(!error.to_string().contains("secret"));
        }
    }

    #[test]
    fn redacts_query_and_user() {
        let url = Url::parse("https://u:p@cdn.example/file?Signature=abc#f").unwrap();
        assert_eq!(redacted(&url), "https://cdn.example/file");
    }
}
