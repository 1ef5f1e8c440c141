//! What is true now about files and quants. Nothing here is stored: it follows from records, blobs and live locks.

use tabagent_storage::{
    Activity, Blobs, EndpointId, Files, Key, ManifestFile, ManifestRecord, ReadTransaction, RepoScope, Store,
};

use crate::error::Result;
use crate::lookup::scope_of;
use crate::manifest::QuantStatus;

/// State of one listed file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct FileState {
    /// Complete in the store at this commit.
    pub(crate) stored: bool,
    /// Bytes in the store; while a process writes the file, the bytes it has.
    pub(crate) downloaded: u64,
}

impl FileState {
    fn stored(file: &ManifestFile) -> Self {
        Self { stored: true, downloaded: file.size }
    }
}

/// Reads the state of files and quants of one endpoint.
pub(crate) struct Probe<'a> {
    endpoint: &'a EndpointId,
    activity: Activity,
}

impl<'a> Probe<'a> {
    /// Looks at what all processes are doing now. Before the transaction it is used with: what ends between the two is then shown
    /// as complete, and never as a download that is over and has left nothing.
    pub(crate) fn new(store: &Store, endpoint: &'a EndpointId) -> Result<Self> {
        Ok(Self::with(store.activity()?, endpoint))
    }

    /// With what was seen just now.
    pub(crate) fn with(activity: Activity, endpoint: &'a EndpointId) -> Self {
        Self { endpoint, activity }
    }

    /// State of every file of a listing, in its order. The records of its stored files lie side by side: one pass finds them.
    pub(crate) fn file_states(
        &self,
        txn: &ReadTransaction<'_>,
        record: &ManifestRecord,
    ) -> Result<Vec<FileState>> {
        let prefix = Key::files(&self.scope(record));
        let stored = txn.tails::<Files>(&prefix)?;
        let state = |file: &ManifestFile| {
            if stored.contains(prefix.tail(&file.path).as_bytes()) {
                return Ok(FileState::stored(file));
            }
            self.unstored(txn, file)
        };
        record.files.iter().map(state).collect()
    }

    /// State of one listed file.
    pub(crate) fn file_state(
        &self,
        txn: &ReadTransaction<'_>,
        scope: &RepoScope,
        file: &ManifestFile,
    ) -> Result<FileState> {
        match txn.get::<Files>(&Key::file(scope, &file.path))? {
            Some(_) => Ok(FileState::stored(file)),
            None => self.unstored(txn, file),
        }
    }

    fn unstored(&self, txn: &ReadTransaction<'_>, file: &ManifestFile) -> Result<FileState> {
        let name = file.digest()?.blob_name();
        let downloaded = match self.activity.leased_bytes(&name) {
            Some(bytes) => bytes,
            None => txn.get::<Blobs>(&Key::blob(&name))?.map_or(0, |blob| blob.downloaded()),
        };
        Ok(FileState { stored: false, downloaded: downloaded.min(file.size) })
    }

    /// The scope of a listing of this endpoint.
    pub(crate) fn scope(&self, record: &ManifestRecord) -> RepoScope {
        scope_of(self.endpoint, record)
    }

    /// Whether a live process is downloading the quant.
    pub(crate) fn is_downloading(&self, scope: &RepoScope, quant: &str) -> bool {
        self.activity.announces(&presence(scope, quant))
    }
}

/// Name of the lock a process holds while it downloads a quant.
pub(crate) fn presence(scope: &RepoScope, quant: &str) -> String {
    format!("{}:{}@{}:{quant}", scope.endpoint.as_str(), scope.repo, scope.commit)
}

/// `complete`: all files stored; `live`: a process is downloading; `failed`: the last try left an error.
pub(crate) fn quant_status(complete: bool, live: bool, failed: bool) -> QuantStatus {
    match (complete, live, failed) {
        (true, _, _) => QuantStatus::Downloaded,
        (false, true, _) => QuantStatus::Downloading,
        (false, false, true) => QuantStatus::Failed,
        (false, false, false) => QuantStatus::Available,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_old_failure_does_not_hide_what_is_true_now() {
        assert_eq!(quant_status(true, false, true), QuantStatus::Downloaded);
        assert_eq!(quant_status(false, true, true), QuantStatus::Downloading);
        assert_eq!(quant_status(false, false, true), QuantStatus::Failed);
        assert_eq!(quant_status(false, false, false), QuantStatus::Available);
    }
}
