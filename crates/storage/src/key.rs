//! Keys of M. The grammar is documented in `docs/design.md`; a key is exactly that text.

use sha2::{Digest as _, Sha256};

use crate::digest::BlobName;

/// Longest key that is stored as it is; libmdbx allows 2,022 bytes with 4 KiB pages.
const LONGEST: usize = 2_000;

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
    fn text(&self) -> String {
        format!("{}:{}@{}", self.endpoint.as_str(), self.repo, self.commit)
    }
}

/// A key of M.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Key(Vec<u8>);

impl Key {
    /// The bytes as stored.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// `meta:{endpoint}:{repo}@{commit}:{path}`.
    #[must_use]
    pub fn file(scope: &RepoScope, path: &str) -> Self {
        Self::with_tail(&format!("meta:{}:", scope.text()), path)
    }

    /// Prefix of all files of a commit.
    #[must_use]
    pub fn files(scope: &RepoScope) -> Self {
        Self(format!("meta:{}:", scope.text()).into_bytes())
    }

    /// Prefix of all files of an endpoint.
    #[must_use]
    pub fn endpoint_files(endpoint: &EndpointId) -> Self {
        Self(format!("meta:{}:", endpoint.as_str()).into_bytes())
    }

    /// `blob:{sha256}`.
    #[must_use]
    pub fn blob(name: &BlobName) -> Self {
        Self(format!("blob:{name}").into_bytes())
    }

    /// Prefix of all blobs.
    #[must_use]
    pub fn blobs() -> Self {
        Self(b"blob:".to_vec())
    }

    /// `inline:{sha256}`.
    #[must_use]
    pub fn inline(name: &BlobName) -> Self {
        Self(format!("inline:{name}").into_bytes())
    }

    /// `use:{sha256}:{endpoint}:{repo}@{commit}:{path}`.
    #[must_use]
    pub fn usage(name: &BlobName, scope: &RepoScope, path: &str) -> Self {
        Self::with_tail(&format!("use:{name}:{}:", scope.text()), path)
    }

    /// Prefix of all uses of a blob.
    #[must_use]
    pub fn usages(name: &BlobName) -> Self {
        Self(format!("use:{name}:").into_bytes())
    }

    /// `ref:{endpoint}:{repo}@{revision}`.
    #[must_use]
    pub fn reference(endpoint: &EndpointId, repo: &str, revision: &str) -> Self {
        Self::with_tail(&format!("ref:{}:{repo}@", endpoint.as_str()), revision)
    }

    /// Prefix of all revisions of a repository.
    #[must_use]
    pub fn references(endpoint: &EndpointId, repo: &str) -> Self {
        Self(format!("ref:{}:{repo}@", endpoint.as_str()).into_bytes())
    }

    /// Prefix of all revisions of an endpoint.
    #[must_use]
    pub fn endpoint_references(endpoint: &EndpointId) -> Self {
        Self(format!("ref:{}:", endpoint.as_str()).into_bytes())
    }

    /// `manifest:{endpoint}:{repo}@{commit}`.
    #[must_use]
    pub fn manifest(scope: &RepoScope) -> Self {
        Self(format!("manifest:{}", scope.text()).into_bytes())
    }

    /// Prefix of all manifests of a repository.
    #[must_use]
    pub fn manifests(endpoint: &EndpointId, repo: &str) -> Self {
        Self(format!("manifest:{}:{repo}@", endpoint.as_str()).into_bytes())
    }

    /// Prefix of all manifests of all endpoints.
    #[must_use]
    pub fn all_manifests() -> Self {
        Self(b"manifest:".to_vec())
    }

    /// `quant:{endpoint}:{repo}@{commit}:{quant}`.
    #[must_use]
    pub fn quant(scope: &RepoScope, quant: &str) -> Self {
        Self::with_tail(&format!("quant:{}:", scope.text()), quant)
    }

    /// Prefix of all quants of a commit.
    #[must_use]
    pub fn quants(scope: &RepoScope) -> Self {
        Self(format!("quant:{}:", scope.text()).into_bytes())
    }

    /// Prefix of all quants of an endpoint.
    #[must_use]
    pub fn endpoint_quants(endpoint: &EndpointId) -> Self {
        Self(format!("quant:{}:", endpoint.as_str()).into_bytes())
    }

    /// A key as a scan gave it.
    #[must_use]
    pub fn stored(bytes: &[u8]) -> Self {
        Self(bytes.to_vec())
    }

    /// `alias:{endpoint}:{name as asked, lower case}`.
    #[must_use]
    pub fn alias(endpoint: &EndpointId, name: &str) -> Self {
        Self::with_tail(&format!("alias:{}:", endpoint.as_str()), &name.to_lowercase())
    }

    /// `format`.
    #[must_use]
    pub fn format() -> Self {
        Self(b"format".to_vec())
    }

    /// `head` + `tail`; a tail that makes the key too long is replaced by `#` and its sha256.
    fn with_tail(head: &str, tail: &str) -> Self {
        if head.len() + tail.len() <= LONGEST {
            return Self(format!("{head}{tail}").into_bytes());
        }
        Self(format!("{head}#{}", hex::encode(Sha256::digest(tail.as_bytes()))).into_bytes())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scope() -> RepoScope {
        RepoScope {
            endpoint: EndpointId::of("https://huggingface.co"),
            repo: "acme/tiny".to_owned(),
            commit: "c".repeat(40),
        }
    }

    #[test]
    fn a_file_key_is_the_documented_text() {
        let key = Key::file(&scope(), "onnx/model.onnx");
        let text = String::from_utf8(key.as_bytes().to_vec()).unwrap();
        let id = EndpointId::of("https://huggingface.co");
        assert_eq!(text, format!("meta:{}:acme/tiny@{}:onnx/model.onnx", id.as_str(), "c".repeat(40)));
        assert!(key.as_bytes().starts_with(Key::files(&scope()).as_bytes()));
    }

    #[test]
    fn a_long_path_becomes_its_digest_and_stays_unique() {
        let (a, b) = ("x".repeat(5_000), "y".repeat(5_000));
        let key = Key::file(&scope(), &a);
        assert!(key.as_bytes().len() <= LONGEST);
        assert_ne!(key, Key::file(&scope(), &b));
        assert!(key.as_bytes().starts_with(Key::files(&scope()).as_bytes()));
    }

    #[test]
    fn aliases_ignore_case() {
        let id = EndpointId::of("x");
        assert_eq!(Key::alias(&id, "Acme/Tiny"), Key::alias(&id, "acme/tiny"));
    }
}
