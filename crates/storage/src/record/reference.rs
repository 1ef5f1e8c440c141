//! Which commits a revision has been seen at.

use rkyv::{Archive, Deserialize, Serialize};

use super::record;

/// One observation of a revision.
#[derive(Archive, Serialize, Deserialize, Clone, Debug, PartialEq, Eq)]
pub struct RefCommit {
    /// Full commit hash.
    pub commit: String,
    /// When the revision was last seen there, milliseconds since 1970.
    pub scanned_at_ms: u64,
}

/// A branch, tag or commit and the commits it was seen at, newest first.
#[derive(Archive, Serialize, Deserialize, Clone, Debug, PartialEq, Eq)]
pub struct RefRecord {
    /// Newest first, no commit twice.
    pub commits: Vec<RefCommit>,
    /// `ETag` of the newest commit's listing, for a conditional request.
    pub etag: Option<String>,
}
record!(RefRecord, 1);

impl RefRecord {
    /// Notes that the revision was seen at `commit`.
    pub fn observe(&mut self, commit: &str, scanned_at_ms: u64, etag: Option<String>) {
        self.commits.retain(|seen| seen.commit != commit);
        self.commits.insert(0, RefCommit { commit: commit.to_owned(), scanned_at_ms });
        self.etag = etag;
    }

    /// Forgets a commit; true when it was among those seen.
    pub fn forget(&mut self, commit: &str) -> bool {
        if self.commits.first().is_some_and(|seen| seen.commit == commit) {
            self.etag = None;
        }
        let before = self.commits.len();
        self.commits.retain(|seen| seen.commit != commit);
        self.commits.len() != before
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_etag_goes_with_the_commit_it_is_of() {
        let mut reference = RefRecord { commits: Vec::new(), etag: None };
        reference.observe("a", 1, Some("of a".to_owned()));
        reference.observe("b", 2, Some("of b".to_owned()));
        assert!(reference.forget("a") && !reference.forget("a"));
        assert_eq!(reference.etag.as_deref(), Some("of b"));
        reference.observe("a", 3, Some("of a".to_owned()));
        assert!(reference.forget("a"));
        assert_eq!((reference.etag, reference.commits.len()), (None, 1));
    }
}
