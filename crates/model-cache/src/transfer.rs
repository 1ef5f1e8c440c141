//! Bringing one file into the store: lease, bytes, digest, publication.

use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use tabagent_hub::{HubError, TransferRequest};
use tabagent_storage::{
    BlobName, BlobWriter, Digest, FileMetadata, Files, Finish, INLINE_LIMIT, Key, Lease, ManifestFile,
    Manifests, PutOutcome, RepoScope, StorageError, UseRecord, Uses, WriteTransaction,
};
use tokio_util::sync::CancellationToken;

use crate::clock::now_ms;
use crate::error::{Error, Result};
use crate::inner::{Inner, LEASE_POLL};
use crate::local_file::{self, Source};
use crate::runtime::blocking;
use crate::sink::{BlobSink, MemorySink};

/// Largest file gathered in memory because its blob name is known only at the end (git files on the Hub are about 10 MB).
pub(crate) const MEMORY_LIMIT: u64 = 16 << 20;

/// How often a file is fetched whole before wrong bytes are the server's last word.
const FETCHES: usize = 2;

/// One file to bring.
#[derive(Clone)]
pub(crate) struct Job {
    pub(crate) inner: Arc<Inner>,
    pub(crate) scope: RepoScope,
    pub(crate) file: ManifestFile,
    pub(crate) source: Source,
    pub(crate) loaded: Arc<AtomicU64>,
    pub(crate) cancel: CancellationToken,
}

impl Job {
    /// Returns when the file is complete in the store and published at its commit.
    pub(crate) async fn run(self) -> Result<()> {
        self.inner.check_writable()?;
        let digest = self.file.digest()?;
        if self.publish_stored(digest).await? {
            return Ok(());
        }
        let Some(lease) = self.wait_for_lease(digest).await? else { return Ok(()) };
        if self.fits_memory(digest) {
            return self.bring_to_memory(Arc::new(lease), digest).await;
        }
        self.bring_to_store(lease, digest).await
    }

    fn fits_memory(&self, digest: Digest) -> bool {
        match digest {
            Digest::Sha256(_) => self.file.size < INLINE_LIMIT,
            Digest::GitSha1(_) => self.file.size <= MEMORY_LIMIT,
        }
    }

    /// True when nothing need be fetched: the path is published, or its bytes are here under their sha256.
    pub(crate) async fn publish_stored(&self, digest: Digest) -> Result<bool> {
        let job = self.clone();
        blocking(self.inner.tasks.token(), move || {
            let known =
                job.inner.read(|txn| Ok(txn.get::<Files>(&Key::file(&job.scope, &job.file.path))?))?;
            let stored = match (known, digest) {
                (Some(_), _) => true,
                (None, Digest::Sha256(name)) => {
                    job.inner.store.publish_existing(&BlobName(name), |txn, name| {
                        publish(txn, &job.scope, &job.file, name)
                    })?
                }
                (None, Digest::GitSha1(_)) => false,
            };
            if stored {
                job.loaded.store(job.file.size, Ordering::Relaxed);
            }
            Ok(stored)
        })
        .await
    }

    /// A file is fetched once more when its digest is wrong: with so few bytes, whole.
    async fn bring_to_memory(&self, lease: Arc<Lease>, digest: Digest) -> Result<()> {
        let kib = u32::try_from(self.file.size.div_ceil(1024)).unwrap_or(u32::MAX);
        let memory = Arc::clone(&self.inner.memory);
        let room = self.cancel.run_until_cancelled(memory.acquire_many_owned(kib)).await;
        let room = room.ok_or(HubError::Cancelled)?;
        let fetches = match self.source {
            Source::Hub => FETCHES,
            Source::File(_) => 1,
        };
        for left in (0..fetches).rev() {
            // Whatever another process had of it in its memory is gone, and what was wrong.
            self.loaded.store(0, Ordering::Relaxed);
            let bytes = self.gather(digest, &lease).await?;
            match self.put(digest, &Arc::new(bytes)).await? {
                PutOutcome::Mismatch { expected, actual } if left == 0 => {
                    return Err(self.mismatch(expected, actual));
                }
                PutOutcome::Mismatch { .. } => {}
                PutOutcome::Complete(_) => break,
            }
        }
        drop(room);
        Ok(())
    }

    async fn gather(&self, digest: Digest, lease: &Arc<Lease>) -> Result<Vec<u8>> {
        if let Source::File(path) = &self.source {
            let (path, size) = (path.clone(), self.file.size);
            return blocking(self.inner.tasks.token(), move || local_file::read(&path, size)).await;
        }
        let size = usize::try_from(self.file.size).unwrap_or(usize::MAX);
        let sink = Arc::new(MemorySink::new(size, Arc::clone(&self.loaded), Arc::clone(lease)));
        if size > 0 {
            let request = self.request(digest, self.whole())?;
            self.inner.hub.transfer(&request, Arc::clone(&sink) as _, &self.cancel).await?;
        }
        Ok(sink.take())
    }

    pub(crate) fn whole(&self) -> Vec<Range<u64>> {
        std::iter::once(0..self.file.size).collect()
    }

    /// Stores what was gathered; waits while someone else writes the same bytes under their own name.
    async fn put(&self, digest: Digest, bytes: &Arc<Vec<u8>>) -> Result<PutOutcome> {
        loop {
            let (job, bytes) = (self.clone(), Arc::clone(bytes));
            let outcome = blocking(self.inner.tasks.token(), move || {
                let store = Arc::clone(&job.inner.store);
                Ok(store
                    .put_bytes(&bytes, &digest, move |txn, name| publish(txn, &job.scope, &job.file, name))?)
            });
            match outcome.await {
                Err(Error::Storage(StorageError::InUse { .. })) => self.pause().await?,
                outcome => return outcome,
            }
        }
    }

    pub(crate) async fn pause(&self) -> Result<()> {
        let waited = self.cancel.run_until_cancelled(tokio::time::sleep(LEASE_POLL)).await;
        waited.ok_or_else(|| HubError::Cancelled.into())
    }

    async fn bring_to_store(&self, lease: Lease, digest: Digest) -> Result<()> {
        let (inner, size) = (Arc::clone(&self.inner), self.file.size);
        let writer =
            blocking(self.inner.tasks.token(), move || Ok(inner.store.writer(lease, size, digest)?)).await?;
        let outcome = self.complete(&writer, digest).await;
        // The last writer records what came before it frees the lease: disk work, and done when this call returns.
        blocking(self.inner.tasks.token(), move || {
            drop(writer);
            Ok(())
        })
        .await?;
        outcome
    }

    pub(crate) async fn fetch_missing(&self, writer: &BlobWriter, digest: Digest) -> Result<()> {
        let missing = writer.missing();
        if missing.is_empty() {
            return Ok(());
        }
        if let Source::File(path) = &self.source {
            let (job, writer, path) = (self.clone(), writer.clone(), path.clone());
            return blocking(self.inner.tasks.token(), move || {
                local_file::fill(&writer, &path, &job.loaded, &job.cancel)
            })
            .await;
        }
        let request = self.request(digest, missing)?;
        let sink = BlobSink { writer: writer.clone(), loaded: Arc::clone(&self.loaded) };
        Ok(self.inner.hub.transfer(&request, Arc::new(sink), &self.cancel).await?)
    }

    /// A git file's blob may be written under its own name by someone else just now: waits for that.
    pub(crate) async fn finish(&self, writer: &BlobWriter) -> Result<Finish> {
        loop {
            match self.finish_now(writer).await {
                Err(Error::Storage(StorageError::InUse { .. })) => self.pause().await?,
                outcome => return outcome,
            }
        }
    }

    /// Hashing may take minutes: it ends when the transfer is cancelled.
    async fn finish_now(&self, writer: &BlobWriter) -> Result<Finish> {
        let (job, finished) = (self.clone(), writer.clone());
        let mut finishing = std::pin::pin!(blocking(self.inner.tasks.token(), move || {
            Ok(finished.finish(|txn, name| publish(txn, &job.scope, &job.file, name))?)
        }));
        tokio::select! {
            biased;
            outcome = &mut finishing => outcome,
            () = self.cancel.cancelled() => {
                writer.interrupt();
                finishing.await
            }
        }
    }

    pub(crate) fn request(&self, digest: Digest, missing: Vec<Range<u64>>) -> Result<TransferRequest> {
        if self.inner.options.offline {
            return Err(Error::Offline {
                repo: self.scope.repo.clone(),
                what: format!("does not have {} complete here", self.file.path),
            });
        }
        Ok(TransferRequest {
            repo: self.scope.repo.clone(),
            commit: self.scope.commit.clone(),
            path: self.file.path.clone(),
            size: self.file.size,
            digest: hub_digest(digest),
            missing,
        })
    }

    pub(crate) fn mismatch(&self, expected: Digest, actual: Digest) -> Error {
        self.loaded.store(0, Ordering::Relaxed);
        Error::Integrity {
            repo: self.scope.repo.clone(),
            path: self.file.path.clone(),
            expected: expected.value(),
            actual: actual.value(),
        }
    }
}

/// Says in M that this file of a commit is the blob `name`.
pub(crate) fn publish(
    txn: &WriteTransaction<'_>,
    scope: &RepoScope,
    file: &ManifestFile,
    name: BlobName,
) -> tabagent_storage::Result<()> {
    // The repository may have been removed meanwhile: bytes without a listing could never be found again.
    if !txn.contains::<Manifests>(&Key::manifest(scope))? {
        return Err(StorageError::Gone { what: format!("{} at commit {}", scope.repo, scope.commit) });
    }
    let path = file.path.clone();
    let usage = UseRecord { path: path.clone() };
    txn.put::<Uses>(&Key::usage(&name, scope, &path), &usage)?;
    let metadata = FileMetadata {
        path,
        blob: name.0,
        size: file.size,
        git_sha1: file.git_sha1.filter(|_| file.sha256.is_none()),
        stored_at_ms: now_ms(),
    };
    txn.put::<Files>(&Key::file(scope, &file.path), &metadata)
}

/// A digest as the client has it.
pub(crate) fn hub_digest(digest: Digest) -> tabagent_hub::Digest {
    match digest {
        Digest::Sha256(bytes) => tabagent_hub::Digest::Sha256(bytes),
        Digest::GitSha1(bytes) => tabagent_hub::Digest::GitSha1(bytes),
    }
}
