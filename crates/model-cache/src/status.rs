//! What is true now about files and quants. Nothing here is stored: it follows from records, blobs and live locks.

use tabagent_storage::{
    Blobs, Files, Key, ManifestFile, ManifestRecord, QuantRecord, Quants, ReadTransaction, RepoScope, Store,
};

use crate::error::Result;
use crate::lookup::scope_of;
use crate::manifest::QuantStatus;
use tabagent_storage::EndpointId;

/// State of one listed file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct FileState {
    /// Complete in the store at this commit.
    pub(crate) stored: bool,
    /// Bytes in the store.
    pub(crate) downloaded: u64,
}

/// Reads the state of files and quants of one endpoint.
pub(crate) struct Probe<'a> {
    pub(crate) store: &'a Store,
    pub(crate) endpoint: &'a EndpointId,
}

impl Probe<'_> {
    /// State of every file of a listing, in its order.
    /// State of one listed file.
    pub(crate) fn file_states(
        &self,
        txn: &ReadTransaction<'_>,
        record: &ManifestRecord,
    ) -> Result<Vec<FileState>> {
        let scope = scope_of(self.endpoint, record);
        record.files.iter().map(|file| file_state(txn, &scope, file)).collect()
    }

    pub(crate) fn quant_record(
        &self,
        txn: &ReadTransaction<'_>,
        record: &ManifestRecord,
        quant: &str,
    ) -> Result<Option<QuantRecord>> {
        Ok(txn.get::<Quants>(&Key::quant(&scope_of(self.endpoint, record), quant))?)
    }

    /// Whether a live process is downloading the quant.
    pub(crate) fn is_downloading(&self, record: &ManifestRecord, quant: &str) -> Result<bool> {
        Ok(self.store.is_present(&presence(&scope_of(self.endpoint, record), quant))?)
    }
}

/// Name of the lock a process holds while it downloads a quant.
pub(crate) fn presence(scope: &RepoScope, quant: &str) -> String {
    format!("{}:{}@{}:{quant}", scope.endpoint.as_str(), scope.repo, scope.commit)
}

pub(crate) fn file_state(
    txn: &ReadTransaction<'_>,
    scope: &RepoScope,
    file: &ManifestFile,
) -> Result<FileState> {
    if txn.get::<Files>(&Key::file(scope, &file.path))?.is_some() {
        return Ok(FileState { stored: true, downloaded: file.size });
    }
    let blob = txn.get::<Blobs>(&Key::blob(&file.digest()?.blob_name()))?;
    Ok(FileState { stored: false, downloaded: blob.map_or(0, |blob| blob.downloaded().min(file.size)) })
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
