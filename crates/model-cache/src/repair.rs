//! Bringing a file into chunks of the store, and what is done when its bytes turn out to be wrong.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use tabagent_hub::HubError;
use tabagent_storage::{BlobWriter, Digest, Finish, StorageError};

use crate::error::Result;
use crate::local_file::Source;
use crate::runtime::blocking;
use crate::sink::RepairSink;
use crate::transfer::Job;

/// How often damaged blocks found on the disk are fetched again before the disk is blamed.
const REPAIRS: usize = 3;

impl Job {
    /// Fetches what is missing and finishes the blob. Blocks that the disk altered are fetched again; when other bytes arrived than
    /// were expected, the file is fetched once more to be compared.
    pub(crate) async fn complete(&self, writer: &BlobWriter, digest: Digest) -> Result<()> {
        // What a file of this machine gives is its last word.
        let (mut damaged, mut repaired) = (0, matches!(self.source, Source::File(_)));
        while damaged <= REPAIRS {
            self.loaded.store(writer.written(), Ordering::Relaxed);
            self.fetch_missing(writer, digest).await?;
            match self.finish(writer).await? {
                Finish::Complete(_) => return Ok(()),
                Finish::Ended => return Err(HubError::Cancelled.into()),
                Finish::Missing(_) => damaged += 1,
                Finish::Mismatch { expected, actual } if repaired => {
                    let writer = writer.clone();
                    blocking(self.inner.tasks.token(), move || Ok(writer.discard()?)).await?;
                    return Err(self.mismatch(expected, actual));
                }
                Finish::Mismatch { .. } => {
                    repaired = true;
                    self.repair(writer, digest).await?;
                }
            }
        }
        Err(StorageError::Corrupt {
            what: format!("{} of {}", self.file.path, self.scope.repo),
            reason: "the disk gives back other bytes than were written, again and again".to_owned(),
        }
        .into())
    }

    /// Fetches the file once more, block after block, and replaces what differs, until the digest is right or all was compared.
    /// Meanwhile `loaded` counts what was compared: it falls to 0 and rises again.
    async fn repair(&self, writer: &BlobWriter, digest: Digest) -> Result<()> {
        self.loaded.store(0, Ordering::Relaxed);
        let request = self.request(digest, self.whole())?;
        let sink = RepairSink { writer: writer.clone(), loaded: Arc::clone(&self.loaded) };
        let enough = self.cancel.child_token();
        let end = enough.clone();
        writer.when_right(move || end.cancel());
        match self.inner.hub.transfer(&request, Arc::new(sink), &enough).await {
            Err(HubError::Cancelled) if !self.cancel.is_cancelled() => Ok(()),
            outcome => Ok(outcome?),
        }
    }
}
