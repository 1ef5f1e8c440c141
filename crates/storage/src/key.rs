//! Keys of M. The grammar is documented in `docs/design.md`; a key is exactly that text.

use std::borrow::Cow;

use sha2::{Digest as _, Sha256};

use crate::digest::BlobName;
use crate::scope::{EndpointId, RepoScope};

/// Longest key that is stored as it is; libmdbx allows 2,022 bytes with 4 KiB pages.
const LONGEST: usize = 2_000;

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
        // Look-ups make many of these.
        let key = Self::under("meta:", scope, path);
        if key.0.len() <= LONGEST { key } else { Self::files(scope).with(path) }
    }

    /// Prefix of all files of a commit.
    #[must_use]
    pub fn files(scope: &RepoScope) -> Self {
        Self::under("meta:", scope, "")
    }

    /// Prefix of all files of all endpoints.
    #[must_use]
    pub fn all_files() -> Self {
        Self(b"meta:".to_vec())
    }

    /// Prefix of all files of a repository.
    #[must_use]
    pub fn repo_files(endpoint: &EndpointId, repo: &str) -> Self {
        Self(format!("meta:{}:{repo}@", endpoint.as_str()).into_bytes())
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

    /// Prefix of all blobs stored inline.
    #[must_use]
    pub(crate) fn inlines() -> Self {
        Self(b"inline:".to_vec())
    }

    /// The blob that the key of a blob, an inline blob or a use names; `None` for any other key.
    #[must_use]
    pub fn blob_name(key: &[u8]) -> Option<BlobName> {
        let text = std::str::from_utf8(key).ok()?;
        let (table, rest) = text.split_once(':')?;
        let digits = rest.get(..64).filter(|_| matches!(table, "blob" | "inline" | "use"))?;
        let mut name = [0; 32];
        hex::decode_to_slice(digits, &mut name).ok()?;
        Some(BlobName(name))
    }

    /// `use:{sha256}:{endpoint}:{repo}@{commit}:{path}`.
    #[must_use]
    pub fn usage(name: &BlobName, scope: &RepoScope, path: &str) -> Self {
        Self(format!("use:{name}:{}:", scope.text()).into_bytes()).with(path)
    }

    /// Prefix of all uses of all blobs.
    #[must_use]
    pub(crate) fn all_usages() -> Self {
        Self(b"use:".to_vec())
    }

    /// Prefix of all uses of a blob.
    #[must_use]
    pub fn usages(name: &BlobName) -> Self {
        Self(format!("use:{name}:").into_bytes())
    }

    /// `ref:{endpoint}:{repo}@{revision}`.
    #[must_use]
    pub fn reference(endpoint: &EndpointId, repo: &str, revision: &str) -> Self {
        Self::references(endpoint, repo).with(revision)
    }

    /// Prefix of all revisions of a repository.
    #[must_use]
    pub fn references(endpoint: &EndpointId, repo: &str) -> Self {
        Self(["ref:", endpoint.as_str(), ":", repo, "@"].concat().into_bytes())
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

    /// `import:{endpoint}:{repo}@{commit}`.
    #[must_use]
    pub fn import(scope: &RepoScope) -> Self {
        Self(format!("import:{}", scope.text()).into_bytes())
    }

    /// `sorting:{endpoint}:{repo}@{commit}`.
    #[must_use]
    pub fn sorting(scope: &RepoScope) -> Self {
        Self(format!("sorting:{}", scope.text()).into_bytes())
    }

    /// `header:{endpoint}:{sha256}`.
    #[must_use]
    pub fn header(endpoint: &EndpointId, name: &BlobName) -> Self {
        Self(format!("header:{}:{name}", endpoint.as_str()).into_bytes())
    }

    /// Prefix of all that headers told, at all endpoints.
    #[must_use]
    pub fn all_headers() -> Self {
        Self(b"header:".to_vec())
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
        Self::quants(scope).with(quant)
    }

    /// Prefix of all quants of a commit.
    #[must_use]
    pub fn quants(scope: &RepoScope) -> Self {
        Self::under("quant:", scope, "")
    }

    /// Prefix of all quants of all endpoints.
    #[must_use]
    pub(crate) fn all_quants() -> Self {
        Self(b"quant:".to_vec())
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
        Self(["alias:", endpoint.as_str(), ":"].concat().into_bytes()).with(&name.to_lowercase())
    }

    /// `format`.
    #[must_use]
    pub fn format() -> Self {
        Self(b"format".to_vec())
    }

    /// What follows the scope in a table.
    fn under(table: &str, scope: &RepoScope, tail: &str) -> Self {
        let RepoScope { endpoint, repo, commit } = scope;
        Self([table, endpoint.as_str(), ":", repo, "@", commit, ":", tail].concat().into_bytes())
    }

    /// This prefix with what follows it.
    fn with(mut self, tail: &str) -> Self {
        let tail = self.tail(tail);
        self.0.extend_from_slice(tail.as_bytes());
        self
    }

    /// What follows this prefix in the key of a path, a revision, a name or a quant: itself, or `#` and its sha256 where the key
    /// would be too long.
    #[must_use]
    pub fn tail<'a>(&self, tail: &'a str) -> Cow<'a, str> {
        if self.0.len() + tail.len() <= LONGEST {
            return Cow::Borrowed(tail);
        }
        Cow::Owned(format!("#{}", hex::encode(Sha256::digest(tail.as_bytes()))))
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
    fn a_key_tells_its_scope_and_its_blob() {
        let name = BlobName([7; 32]);
        for path in ["a:b@c/d", &"x".repeat(5_000)] {
            for key in
                [Key::file(&scope(), path), Key::usage(&name, &scope(), path), Key::quant(&scope(), path)]
            {
                assert_eq!(RepoScope::in_key(key.as_bytes()), Some(scope()));
            }
            assert_eq!(Key::blob_name(Key::usage(&name, &scope(), path).as_bytes()), Some(name));
        }
        for key in [Key::blob(&name), Key::inline(&name)] {
            assert_eq!(Key::blob_name(key.as_bytes()), Some(name));
            assert_eq!(RepoScope::in_key(key.as_bytes()), None);
        }
        assert_eq!(Key::blob_name(Key::manifest(&scope()).as_bytes()), None);
    }

    #[test]
    fn aliases_ignore_case() {
        let id = EndpointId::of("x");
        assert_eq!(Key::alias(&id, "Acme/Tiny"), Key::alias(&id, "acme/tiny"));
    }
}
