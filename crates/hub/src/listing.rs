//! What a repository holds at one commit, as the Hub tells it.

use crate::quant::Hints;

/// A repository at one commit.
#[derive(Debug, Clone)]
pub struct Listing {
    /// Repository id as the Hub spells it (it ignores case and follows renames).
    pub repo: String,
    /// Commit every later request is pinned to: 40 (or 64) lower-case hex digits.
    pub commit: String,
    /// `ETag` of the answer, where it had one: what [`HubClient::rescan`](crate::HubClient::rescan) takes. Its form is the
    /// server's own business.
    pub etag: Option<String>,
    /// The Hub's `pipeline_tag`, such as `feature-extraction`.
    pub pipeline_task: Option<String>,
    /// The library the model card names, such as `transformers.js`.
    pub library_name: Option<String>,
    /// License id from the model card, else from the `license:` tag.
    pub license: Option<String>,
    /// Tags in the Hub's order.
    pub tags: Vec<String>,
    /// Whether files are given only to accounts that asked for access.
    pub gated: bool,
    /// What the model's configuration says about its quantization.
    pub hints: Hints,
    /// Files, sorted by path, each path once.
    pub files: Vec<ListedFile>,
    /// Paths left out because no platform could store them safely: empty, absolute, with a `.` or `..` segment, a
    /// backslash, a drive letter or a control character. The rest of the repository stays usable.
    pub refused: Vec<String>,
}

/// One file of a [`Listing`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListedFile {
    /// Path inside the repository, `/` between folders; never absolute, never with `..`.
    pub path: String,
    /// Size of the content in bytes.
    pub size: u64,
    /// What the content must hash to.
    pub digest: Digest,
}

/// The Hub's own digest of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Digest {
    /// SHA-256 of the content (files stored as LFS or Xet).
    Sha256([u8; 32]),
    /// Git's blob id: SHA-1 of `"blob <length>\0"` and the content (files stored in git itself).
    GitSha1([u8; 20]),
}

impl Digest {
    /// Lower- or upper-case hex of a SHA-256; `None` for anything else (the Hub masks digests it will not tell).
    #[must_use]
    pub fn sha256(hex_digits: &str) -> Option<Self> {
        decode(hex_digits).map(Self::Sha256)
    }

    /// Hex of a git blob id; `None` for anything else.
    #[must_use]
    pub fn git_sha1(hex_digits: &str) -> Option<Self> {
        decode(hex_digits).map(Self::GitSha1)
    }
}

impl std::fmt::Display for Digest {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Sha256(bytes) => write!(f, "sha256:{}", hex::encode(bytes)),
            Self::GitSha1(bytes) => write!(f, "git-sha1:{}", hex::encode(bytes)),
        }
    }
}

fn decode<const N: usize>(hex_digits: &str) -> Option<[u8; N]> {
    let mut bytes = [0; N];
    hex::decode_to_slice(hex_digits, &mut bytes).ok()?;
    Some(bytes)
}

/// Whether a path can be a file's place below a folder on every platform.
#[must_use]
pub fn is_safe_path(path: &str) -> bool {
    let drive = matches!(path.as_bytes(), [letter, b':', ..] if letter.is_ascii_alphabetic());
    let clean = |c: char| c != '\\' && !c.is_control();
    !drive && path.chars().all(clean) && path.split('/').all(|segment| !matches!(segment, "" | "." | ".."))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn accepts_the_names_repositories_have() {
        for path in
            ["config.json", "onnx/model (1) [a].onnx_data_1", "a/.gitattributes", "..a/b..", "ünï.bin"]
        {
            assert!(is_safe_path(path), "{path}");
        }
    }

    #[test]
    fn refuses_paths_that_leave_their_place() {
        for path in
            ["", "/etc/passwd", "a/../b", "..", "a//b", "a/", "./a", "a\\b", "C:/x", "c:x", "a\0b", "a\nb"]
        {
            assert!(!is_safe_path(path), "{path:?}");
        }
    }

    #[test]
    fn digests_need_their_exact_shape() {
        assert!(Digest::sha256(&"aB".repeat(32)).is_some());
        assert!(Digest::sha256(&"ab".repeat(20)).is_none());
        assert!(Digest::sha256(&"*".repeat(64)).is_none());
        assert!(Digest::git_sha1(&"0f".repeat(20)).is_some());
        assert!(Digest::git_sha1(&"0f".repeat(32)).is_none());
    }
}
