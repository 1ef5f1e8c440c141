//! The files of an answer, as small as can be: there may be millions.

use std::fmt;

use serde::de::{Error, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};

use crate::lenient::lenient;
use crate::listing::Digest;
use crate::promise::Promise;

/// Files of a listing: more have no room in the largest answer that is read.
pub(crate) const MOST_FILES: usize = 1 << 22;

/// One file of the listing.
#[derive(Deserialize)]
#[serde(from = "Entry")]
pub(crate) struct Sibling {
    path: Box<str>,
    /// Of the content, where it is told.
    size: Option<u64>,
    digest: Option<Digest>,
    is_file: bool,
}

/// As it stands in the answer: model info names its fields `rfilename` and `blobId`, the tree `path` and `oid`.
#[derive(Deserialize)]
struct Entry {
    #[serde(default)]
    rfilename: Option<String>,
    #[serde(default)]
    path: Option<String>,
    #[serde(rename = "type", default)]
    kind: Option<String>,
    #[serde(default, deserialize_with = "lenient")]
    size: Option<u64>,
    #[serde(rename = "blobId", default, deserialize_with = "lenient")]
    blob_id: Option<String>,
    #[serde(default, deserialize_with = "lenient")]
    oid: Option<String>,
    #[serde(default, deserialize_with = "lenient")]
    lfs: Option<Lfs>,
}

/// The LFS pointer's content; the digest is `sha256` in model info and `oid` in the tree.
#[derive(Deserialize)]
struct Lfs {
    #[serde(default)]
    sha256: Option<String>,
    #[serde(default)]
    oid: Option<String>,
    #[serde(default)]
    size: Option<u64>,
}

impl From<Entry> for Sibling {
    /// For LFS files the git blob is only the pointer.
    fn from(entry: Entry) -> Self {
        let Entry { rfilename, path, kind, size, blob_id, oid, lfs } = entry;
        let (size, digest) = match lfs {
            Some(lfs) => (lfs.size.or(size), lfs.sha256.or(lfs.oid).and_then(|hex| Digest::sha256(&hex))),
            None => (size, blob_id.or(oid).and_then(|hex| Digest::git_sha1(&hex))),
        };
        let path = rfilename.or(path).unwrap_or_default().into_boxed_str();
        Self { path, size, digest, is_file: kind.is_none_or(|kind| kind == "file") }
    }
}

impl Sibling {
    /// Empty when the server names none, which is no safe path.
    pub(crate) fn path(&self) -> &str {
        &self.path
    }

    /// Its path, for keeps.
    pub(crate) fn into_path(self) -> String {
        self.path.into_string()
    }

    /// Trees also list folders.
    pub(crate) fn is_file(&self) -> bool {
        self.is_file
    }

    /// Size and digest of the content, when both are there and well-formed.
    pub(crate) fn content(&self) -> Option<(u64, Digest)> {
        Some((self.size?, self.digest?))
    }

    /// Takes what the Hub told elsewhere.
    pub(crate) fn believe(&mut self, Promise { size, digest }: Promise) {
        self.size = size.or(self.size);
        self.digest = Some(digest);
    }
}

/// A list of files.
pub(crate) struct Siblings(pub(crate) Vec<Sibling>);

impl<'de> Deserialize<'de> for Siblings {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_seq(SiblingsVisitor { most: MOST_FILES })
    }
}

struct SiblingsVisitor {
    most: usize,
}

impl<'de> Visitor<'de> for SiblingsVisitor {
    type Value = Siblings;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list of files")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Siblings, A::Error> {
        let mut files = Vec::new();
        while let Some(file) = list.next_element()? {
            if files.len() >= self.most {
                return Err(Error::custom(format_args!("it lists more than {} files", self.most)));
            }
            files.push(file);
        }
        Ok(Siblings(files))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn content_needs_size_and_a_whole_digest() {
        let sha256 = "ab".repeat(32);
        let sha1 = "cd".repeat(20);
        let content = |json: String| serde_json::from_str::<Sibling>(&json).unwrap().content();
        let lfs = content(format!(
            r#"{{"rfilename":"a","size":9,"blobId":"{sha1}","lfs":{{"sha256":"{sha256}","size":9,"pointerSize":134}}}}"#
        ));
        assert_eq!(lfs.unwrap(), (9, Digest::sha256(&sha256).unwrap()));
        let git = content(format!(r#"{{"type":"file","path":"a","size":9,"oid":"{sha1}"}}"#));
        assert_eq!(git.unwrap(), (9, Digest::git_sha1(&sha1).unwrap()));
        assert!(content(r#"{"rfilename":"a"}"#.to_owned()).is_none());
        assert!(content(r#"{"rfilename":"a","size":9,"blobId":"****"}"#.to_owned()).is_none());
        assert!(
            content(format!(r#"{{"rfilename":"a","size":9,"blobId":"{sha1}","lfs":{{"sha256":"***"}}}}"#))
                .is_none()
        );
    }

    #[test]
    fn a_list_that_is_too_long_is_none() {
        let list = |most| {
            let mut document = serde_json::Deserializer::from_str(r#"[{"path":"a"},{"path":"b"}]"#);
            document.deserialize_seq(SiblingsVisitor { most }).map(|files| files.0.len())
        };
        assert_eq!(list(2).unwrap(), 2);
        assert!(list(1).unwrap_err().to_string().starts_with("it lists more than 1 files"));
    }
}
