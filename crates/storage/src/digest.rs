//! Names and digests of bytes.

use std::fmt;

use sha2::{Digest as _, Sha256};

/// Name of a blob: the sha256 of its bytes, or a provisional name while only a git sha1 is known.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct BlobName(pub [u8; 32]);

impl BlobName {
    /// The name under which bytes are gathered of which only the git sha1 is known. It is renamed when the bytes are complete:
    /// a sha1 is an expectation of one path, never an identity (collisions are practical).
    #[must_use]
    pub fn provisional(git_sha1: &[u8; 20]) -> Self {
        let mut hasher = Sha256::new();
        hasher.update(b"provisional git-sha1 blob ");
        hasher.update(git_sha1);
        Self(hasher.finalize().into())
    }

    /// The name of these bytes.
    #[must_use]
    pub fn of(bytes: &[u8]) -> Self {
        Self(Sha256::digest(bytes).into())
    }

    /// The name of all that `source` has to read.
    ///
    /// # Errors
    /// Those of reading.
    pub fn read(mut source: impl std::io::Read) -> std::io::Result<Self> {
        let (mut hasher, mut buffer) = (Sha256::new(), vec![0; 1 << 20]);
        loop {
            match source.read(&mut buffer) {
                Ok(0) => return Ok(Self(hasher.finalize().into())),
                Ok(n) => hasher.update(buffer.get(..n).unwrap_or_default()),
                Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
    }

    /// The name with these 64 hexadecimal digits; `None` for any other text.
    #[must_use]
    pub(crate) fn from_hex(digits: &str) -> Option<Self> {
        let mut name = Self([0; 32]);
        hex::decode_to_slice(digits, &mut name.0).ok()?;
        Some(name)
    }

    /// 64 hexadecimal digits.
    #[must_use]
    pub fn to_hex(&self) -> String {
        hex::encode(self.0)
    }
}

impl fmt::Display for BlobName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.to_hex())
    }
}

impl fmt::Debug for BlobName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "BlobName({self})")
    }
}

/// What the Hub says about a file's content.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Digest {
    /// sha256 of the content (LFS and Xet files).
    Sha256([u8; 32]),
    /// git's sha1 of `"blob <length>\0"` and the content (small files).
    GitSha1([u8; 20]),
}

impl Digest {
    /// `sha256` or `git-sha1`.
    #[must_use]
    pub fn algorithm(&self) -> &'static str {
        match self {
            Self::Sha256(_) => "sha256",
            Self::GitSha1(_) => "git-sha1",
        }
    }

    /// Hexadecimal digits.
    #[must_use]
    pub fn value(&self) -> String {
        match self {
            Self::Sha256(bytes) => hex::encode(bytes),
            Self::GitSha1(bytes) => hex::encode(bytes),
        }
    }

    /// The name under which the blob is written: final for a sha256, provisional for a git sha1.
    #[must_use]
    pub fn blob_name(&self) -> BlobName {
        match self {
            Self::Sha256(bytes) => BlobName(*bytes),
            Self::GitSha1(bytes) => BlobName::provisional(bytes),
        }
    }
}

/// Random 128-bit identity of one reservation in C. Chunks are keyed by it, so that a reader with an old record finds its
/// own chunks or nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Incarnation(pub [u8; 16]);

impl Incarnation {
    /// A fresh one from the operating system's random source.
    ///
    /// # Errors
    /// [`crate::StorageError::Io`] when the system has no random bytes to give.
    pub fn random() -> crate::Result<Self> {
        let mut bytes = [0; 16];
        getrandom::fill(&mut bytes).map_err(|error| crate::StorageError::Io {
            action: "draw a random incarnation",
            path: std::path::PathBuf::new(),
            source: std::io::Error::other(error.to_string()),
        })?;
        Ok(Self(bytes))
    }

    /// 32 hexadecimal digits.
    #[must_use]
    pub fn to_hex(&self) -> String {
        hex::encode(self.0)
    }
}
