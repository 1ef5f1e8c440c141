//! Takes models from the cache folder of `huggingface_hub`, without any network.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use tabagent_storage::{BlobName, Digest, Lease, StorageError};
use tokio::sync::oneshot;
use tokio::time::MissedTickBehavior;
use tokio_util::sync::CancellationToken;

use crate::cache::ModelCache;
use crate::error::{Error, Result};
use crate::evict::{Claim, Wish, make_room};
use crate::file::FileInfo;
use crate::gauge::Gauge;
use crate::hf_cache::{HfCache, Skipped, Snapshot};
use crate::inner::{Inner, LEASE_POLL};
use crate::intake::{Intake, Item, name_of};
use crate::local_file::Source;
use crate::progress::{ProgressCallback, REPORT_INTERVAL};
use crate::repo_name::check_repo;
use crate::runtime::blocking;
use crate::transfer::Job;

/// Options of [`ModelCache::import_hf_cache`].
#[derive(Clone, Default)]
pub struct ImportOptions {
    /// Only this repository. Default: all models.
    pub repo: Option<String>,
    /// Called at most 20 times a second, once at 100 %, and never after the future is ready.
    pub progress: Option<ProgressCallback>,
}

/// What an import did.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ImportReport {
    /// Files that are stored now and were not before.
    pub imported: Vec<ImportedFile>,
    /// What was left alone, and why.
    pub skipped: Vec<Skipped>,
    /// Bytes of the imported files.
    pub bytes: u64,
}

/// A file that was imported.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ImportedFile {
    /// Repository.
    pub repo: String,
    /// Commit.
    pub commit: String,
    /// The file.
    pub file: FileInfo,
}

impl ModelCache {
    /// Takes models from a cache folder of `huggingface_hub`: every file whose bytes have the digest that the folder says, for the
    /// endpoint of this cache. They share their disk blocks with that folder where the file system can, and are copied
    /// otherwise; the folder is not changed. Without a scan of its commit, a manifest made from an import names only the files
    /// that were there and is stale; the next scan or download of the revision asks the endpoint and replaces it.
    ///
    /// # Errors
    /// `ERR_INVALID_ARGUMENT`, `ERR_REPO_NOT_FOUND` when the folder does not have the one asked for, `ERR_NO_SPACE`,
    /// `ERR_READ_ONLY`, `ERR_IO`, `ERR_CLOSED`. What was imported before stays.
    pub async fn import_hf_cache(&self, directory: &Path, options: ImportOptions) -> Result<ImportReport> {
        let inner = self.inner()?;
        inner.check_writable()?;
        if let Some(repo) = &options.repo {
            check_repo(repo)?;
        }
        let cancel = inner.closing.child_token();
        let import = Import {
            inner: Arc::clone(&inner),
            directory: directory.to_owned(),
            options,
            cancel: cancel.clone(),
        };
        let (sender, outcome) = oneshot::channel();
        // A task of its own: when the caller lets go, the listing of what is stored by then is still written.
        inner.spawn(async move {
            sender.send(import.run().await).ok();
        })?;
        let holder = Arc::clone(&inner);
        inner
            .call(async move {
                let _guard = cancel.drop_guard();
                outcome.await.unwrap_or_else(|_| Err(holder.closed()))
            })
            .await
    }
}

/// One call.
struct Import {
    inner: Arc<Inner>,
    directory: PathBuf,
    options: ImportOptions,
    cancel: CancellationToken,
}

impl Import {
    async fn run(self) -> Result<ImportReport> {
        let (directory, repo) = (self.directory.clone(), self.options.repo.clone());
        let found =
            blocking(self.inner.tasks.token(), move || HfCache::read(&directory, repo.as_deref())).await?;
        let total = found.snapshots.iter().flat_map(|snapshot| &snapshot.files).map(|file| file.size).sum();
        let mut report = ImportReport { skipped: found.skipped, ..ImportReport::default() };
        let repo = self.options.repo.clone().unwrap_or_default();
        let mut gauge = Gauge::start(self.options.progress.clone(), &repo, None, total);
        for snapshot in found.snapshots {
            gauge.enter(&snapshot.repo);
            self.take(snapshot, &mut gauge, &mut report).await?;
        }
        gauge.finish();
        Ok(report)
    }

    async fn take(&self, snapshot: Snapshot, gauge: &mut Gauge, report: &mut ImportReport) -> Result<()> {
        let _lease = self.wait_for_lease(&snapshot).await?;
        let all: u64 = snapshot.files.iter().map(|file| file.size).sum();
        let (inner, cancel) = (Arc::clone(&self.inner), self.cancel.clone());
        let intake =
            blocking(self.inner.tasks.token(), move || Intake::begin(&inner, &snapshot, &cancel)).await?;
        let intake = Arc::new(intake);
        report.skipped.extend(intake.skipped.iter().cloned());
        gauge.advance(all.saturating_sub(intake.items.iter().map(|item| item.file.size).sum()));
        let outcome = self.bring_all(&intake, gauge, report).await;
        let inner = Arc::clone(&self.inner);
        let finished = blocking(self.inner.tasks.token(), move || intake.finish(&inner)).await;
        outcome.and(finished)
    }

    /// One import of a commit at a time, in all processes: each ends by writing the listing of what is stored.
    async fn wait_for_lease(&self, snapshot: &Snapshot) -> Result<Lease> {
        let repo = snapshot.repo.to_lowercase();
        let text = format!("import of {}:{repo}@{}", self.inner.endpoint.as_str(), snapshot.commit);
        let name = BlobName::of(text.as_bytes());
        loop {
            let inner = Arc::clone(&self.inner);
            let lease = blocking(self.inner.tasks.token(), move || Ok(inner.store.try_lease(&name)?)).await?;
            if let Some(lease) = lease {
                return Ok(lease);
            }
            let waited = self.cancel.run_until_cancelled(tokio::time::sleep(LEASE_POLL)).await;
            waited.ok_or_else(|| self.inner.closed())?;
        }
    }

    async fn bring_all(
        &self,
        intake: &Arc<Intake>,
        gauge: &mut Gauge,
        report: &mut ImportReport,
    ) -> Result<()> {
        let _wish = self.make_room(intake).await?;
        for item in &intake.items {
            gauge.begin(&item.file.path, item.file.size);
            match self.bring(intake, item, gauge).await? {
                None => {
                    report.bytes += item.file.size;
                    report.imported.push(ImportedFile {
                        repo: intake.scope.repo.clone(),
                        commit: intake.scope.commit.clone(),
                        file: FileInfo::listed(item.file.clone(), true)?,
                    });
                }
                Some(why) => report.skipped.push(Skipped { path: item.shown.clone(), why }),
            }
        }
        Ok(())
    }

    /// Room under the size limit, as for a download. That of the disk is looked at file by file: what is shared takes none.
    async fn make_room(&self, intake: &Arc<Intake>) -> Result<Option<Wish>> {
        let Some(limit) = self.inner.options.max_size else { return Ok(None) };
        let (inner, intake) = (Arc::clone(&self.inner), Arc::clone(intake));
        blocking(self.inner.tasks.token(), move || {
            let mut needed = 0;
            for item in &intake.items {
                let here = inner.store.blob(&item.file.digest()?.blob_name())?;
                needed += item.file.size.saturating_sub(here.map_or(0, |blob| blob.downloaded));
            }
            let places: Vec<u32> =
                (0..u32::try_from(intake.record.files.len()).unwrap_or(u32::MAX)).collect();
            let files: Vec<_> = intake.items.iter().map(|item| item.file.clone()).collect();
            let claim = Claim { scope: &intake.scope, places: &places, files: &files };
            make_room(&inner, limit, needed, &claim).map(Some)
        })
        .await
    }

    /// Brings one file; says why when its bytes are not to be had.
    async fn bring(&self, intake: &Intake, item: &Item, gauge: &mut Gauge) -> Result<Option<String>> {
        if let Some(why) = self.doubt(item).await? {
            return Ok(Some(why));
        }
        let loaded = Arc::new(AtomicU64::new(0));
        let job = Job {
            inner: Arc::clone(&self.inner),
            scope: intake.scope.clone(),
            file: item.file.clone(),
            source: Source::File(item.source.clone()),
            loaded: Arc::clone(&loaded),
            cancel: self.cancel.clone(),
        };
        let mut work = std::pin::pin!(job.run());
        let mut tick = tokio::time::interval(REPORT_INTERVAL);
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let outcome = loop {
            tokio::select! {
                outcome = &mut work => break outcome,
                _ = tick.tick(), if !self.cancel.is_cancelled() => gauge.reach(loaded.load(Ordering::Relaxed)),
            }
        };
        if self.cancel.is_cancelled() {
            return Err(self.inner.closed());
        }
        gauge.reach(item.file.size);
        match outcome {
            Ok(()) => Ok(None),
            Err(Error::Integrity { expected, actual, .. }) => {
                self.drop_partial(item).await?;
                Ok(Some(wrong(&actual, &expected)))
            }
            Err(Error::Storage(StorageError::Io { path, source, .. })) if path == item.source => {
                self.drop_partial(item).await?;
                Ok(Some(format!("it cannot be read: {source}")))
            }
            Err(error) => Err(error),
        }
    }

    /// What an interrupted download left would be lost with wrong bytes: where there is any, the file is looked at first.
    async fn doubt(&self, item: &Item) -> Result<Option<String>> {
        let (inner, cancel, item) = (Arc::clone(&self.inner), self.cancel.clone(), item.clone());
        blocking(self.inner.tasks.token(), move || {
            let Digest::Sha256(expected) = item.file.digest()? else { return Ok(None) };
            let here = inner.store.blob(&BlobName(expected))?;
            if here.is_none_or(|blob| blob.complete || blob.downloaded == 0) {
                return Ok(None);
            }
            Ok(match name_of(&item.source, &cancel) {
                Ok(name) if name == BlobName(expected) => None,
                Ok(name) => Some(wrong(&name.to_hex(), &hex::encode(expected))),
                Err(_) if cancel.is_cancelled() => return Err(inner.closed()),
                Err(error) => Some(format!("it cannot be read: {error}")),
            })
        })
        .await
    }

    /// Gives back the room of a file of which nothing right came.
    async fn drop_partial(&self, item: &Item) -> Result<()> {
        let (inner, name) = (Arc::clone(&self.inner), item.file.digest()?.blob_name());
        blocking(self.inner.tasks.token(), move || {
            if inner.store.blob(&name)?.is_some_and(|blob| !blob.complete && blob.downloaded == 0) {
                inner.store.remove_blobs(&[name])?;
            }
            Ok(())
        })
        .await
    }
}

fn wrong(actual: &str, expected: &str) -> String {
    format!("its bytes have the digest {actual}, not {expected}")
}
