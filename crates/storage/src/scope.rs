//! Whose a record is: one commit of one repository at one endpoint.

use sha2::{Digest as _, Sha256};

/// Identity of a Hub endpoint: the first 16 hexadecimal digits of the sha256 of its URL. It is part of every name, so that
/// one mirror's listing is never served for another's.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct EndpointId(String);

impl EndpointId {
    /// Identity of the endpoint at `url` (no trailing slash).
    #[must_use]
    pub fn of(url: &str) -> Self {
        let mut hexadecimal = hex::encode(Sha256::digest(url.as_bytes()));
        hexadecimal.truncate(16);
        Self(hexadecimal)
    }

    /// The 16 digits.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// One commit of one repository at one endpoint.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct RepoScope {
    /// The endpoint.
    pub endpoint: EndpointId,
    /// Repository id as the API returned it.
    pub repo: String,
    /// Full commit hash.
    pub commit: String,
}

impl RepoScope {
    /// The scope in the key of a file, a use or a quant; `None` for any other key. A repository's name has neither `@` nor `:`.
    #[must_use]
    pub fn in_key(key: &[u8]) -> Option<Self> {
        let text = std::str::from_utf8(key).ok()?;
        let (table, rest) = text.split_once(':')?;
        let rest = match table {
            "meta" | "quant" => rest,
            "use" => rest.split_once(':')?.1,
            _ => return None,
        };
        let (endpoint, rest) = rest.split_once(':')?;
        let (repo, rest) = rest.split_once('@')?;
        let (commit, _) = rest.split_once(':')?;
        let endpoint = EndpointId(endpoint.to_owned());
        Some(Self { endpoint, repo: repo.to_owned(), commit: commit.to_owned() })
    }

    /// Its part of a key.
    pub(crate) fn text(&self) -> String {
        [self.endpoint.as_str(), ":", &self.repo, "@", &self.commit].concat()
    }
}
