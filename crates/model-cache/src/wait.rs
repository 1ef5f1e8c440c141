//! Waiting for a file that another process brings.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use tabagent_storage::{BlobName, Digest, Lease};
use tokio::time::Instant;

use crate::error::{Error, Result};
use crate::runtime::blocking;
use crate::transfer::Job;

/// What the holder of a lease has done since it is waited for.
struct Holder {
    bytes: Option<u64>,
    moved: Instant,
}

impl Job {
    /// The lease, or `None` when another process has finished the file meanwhile. Its holder may be slow and wait itself; only one
    /// that is stopped is not waited for longer than a server.
    pub(crate) async fn wait_for_lease(&self, digest: Digest) -> Result<Option<Lease>> {
        let name = digest.blob_name();
        let mut holder = Holder { bytes: None, moved: Instant::now() };
        loop {
            let inner = Arc::clone(&self.inner);
            let lease = blocking(self.inner.tasks.token(), move || Ok(inner.store.try_lease(&name)?)).await?;
            let stored = self.publish_stored(digest).await?;
            if stored || lease.is_some() {
                return Ok(lease.filter(|_| !stored));
            }
            let bytes = self.show_progress_of_others(name).await?;
            if holder.bytes != bytes {
                holder = Holder { bytes, moved: Instant::now() };
            } else if holder.moved.elapsed() >= self.inner.options.stall_timeout {
                self.check_holder(name).await?;
            }
            self.pause().await?;
        }
    }

    /// What the holder of the lease says it has; else what it has recorded.
    async fn show_progress_of_others(&self, name: BlobName) -> Result<Option<u64>> {
        let job = self.clone();
        blocking(self.inner.tasks.token(), move || {
            let store = &job.inner.store;
            let here = match store.leased_bytes(&name) {
                Some(bytes) => Some(bytes),
                None => store.blob(&name)?.map(|blob| blob.downloaded),
            };
            if let Some(here) = here {
                job.loaded.store(here, Ordering::Relaxed);
            }
            Ok(here)
        })
        .await
    }

    async fn check_holder(&self, name: BlobName) -> Result<()> {
        let job = self.clone();
        blocking(self.inner.tasks.token(), move || match job.inner.store.stopped_holder(&name) {
            Some(process) => Err(Error::InUse {
                repo: job.scope.repo.clone(),
                what: job.file.path.clone(),
                reason: format!(
                    "process {process}, which downloads it, is stopped; let that go on (fg in its terminal, or kill -CONT \
                     {process}), or end it"
                ),
            }),
            None => Ok(()),
        })
        .await
    }
}
