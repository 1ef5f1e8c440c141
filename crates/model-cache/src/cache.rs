//! The cache as callers hold it.

use std::future::Future;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use tabagent_hub::{HubClient, HubOptions};
use tabagent_storage::{EndpointId, ReadTransaction, StorageRegistry, Store, StoreOptions};
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::cached_file::CachedFile;
use crate::error::{Error, Result};
use crate::file::FileInfo;
use crate::flight::Flights;
use crate::lookup::Lookup;
use crate::manifest::Manifest;
use crate::options::{CacheOptions, DownloadOptions, ScanOptions};
use crate::remove::{self, RemoveReport};
use crate::repo_name::{check_path, check_repo, check_revision};
use crate::runtime::{self, run};
use crate::stats::{self, CacheStats};
use crate::status::Probe;
use crate::{download, scan};

/// Most bytes of small files held in memory at once, in KiB.
const MEMORY_KIB: usize = 16 << 10;

/// What all handles of an open cache share.
pub(crate) struct Inner {
    pub(crate) store: Arc<Store>,
    pub(crate) hub: HubClient,
    pub(crate) endpoint: EndpointId,
    pub(crate) options: CacheOptions,
    pub(crate) flights: Flights,
    /// Cancelled by `close`: running downloads end and keep their partial.
    pub(crate) closing: CancellationToken,
    pub(crate) tasks: TaskTracker,
    /// Room for small files in memory.
    pub(crate) memory: Arc<Semaphore>,
}

impl Inner {
    /// Runs `f` on a consistent view of M.
    pub(crate) fn read<T>(&self, f: impl FnOnce(&ReadTransaction<'_>) -> Result<T>) -> Result<T> {
        self.store.read(|txn| Ok(f(txn)))?
    }

    /// The newest stored manifest of a revision.
    pub(crate) fn manifest(&self, repo: &str, revision: &str) -> Result<Option<Manifest>> {
        let probe = Probe { store: &self.store, endpoint: &self.endpoint };
        self.read(|txn| {
            let record = Lookup { txn, endpoint: &self.endpoint }.manifest(repo, revision)?;
            record.map(|record| Manifest::assemble(&probe, txn, &record, revision)).transpose()
        })
    }

    pub(crate) fn closed(&self) -> Error {
        Error::Closed { path: self.store.root().display().to_string() }
    }

    fn check_open(&self) -> Result<()> {
        if self.closing.is_cancelled() { Err(self.closed()) } else { Ok(()) }
    }
}

/// An open model cache. Clones share it.
///
/// Asynchronous calls run on the crate's own threads, so they can be awaited on any executor; dropping a future detaches its
/// caller, and a transfer ends (keeping what came) when its last caller is gone.
#[derive(Clone)]
pub struct ModelCache {
    inner: Arc<Inner>,
}

impl ModelCache {
    /// Opens the cache at `path` with default options.
    ///
    /// # Errors
    /// As [`ModelCache::open`].
    pub fn new(registry: Arc<StorageRegistry>, path: &Path) -> Result<Self> {
        Self::open(&registry, path, CacheOptions::default())
    }

    /// Opens the cache at `path`, creating it unless `options.read_only`.
    ///
    /// # Errors
    /// `ERR_READ_ONLY`, `ERR_IO`, `ERR_VERSION_MISMATCH`, `ERR_UNSUPPORTED_FILESYSTEM` when the folder cannot be used;
    /// `ERR_INVALID_ARGUMENT` for an endpoint that is not an http(s) URL.
    pub fn open(registry: &StorageRegistry, path: &Path, options: CacheOptions) -> Result<Self> {
        let hub = HubClient::new(HubOptions {
            endpoint: options.endpoint.clone(),
            token: options.token.clone(),
            user_agent: options.user_agent.clone(),
            connections: options.connections,
            stall_timeout: options.stall_timeout,
            retries: options.retries,
        })?;
        let store = registry.open(path, StoreOptions { read_only: options.read_only })?;
        let endpoint = EndpointId::of(hub.endpoint());
        let options = CacheOptions { endpoint: hub.endpoint().to_owned(), ..options };
        Ok(Self {
            inner: Arc::new(Inner {
                store,
                hub,
                endpoint,
                options,
                flights: Flights::default(),
                closing: CancellationToken::new(),
                tasks: TaskTracker::new(),
                memory: Arc::new(Semaphore::new(MEMORY_KIB)),
            }),
        })
    }

    /// The cache's folder, canonical.
    #[must_use]
    pub fn path(&self) -> &Path {
        self.inner.store.root()
    }

    /// Lists a repository with one request and sorts its files into quants.
    ///
    /// # Errors
    /// `ERR_INVALID_ARGUMENT`, `ERR_REPO_NOT_FOUND`, `ERR_REVISION_NOT_FOUND`, `ERR_UNAUTHORIZED`, `ERR_GATED`,
    /// `ERR_RATE_LIMITED`, `ERR_NETWORK` (only when nothing is stored), `ERR_HTTP`, `ERR_OFFLINE`, `ERR_CLOSED`.
    pub async fn scan_repo(&self, repo: &str, options: ScanOptions) -> Result<Manifest> {
        self.call(scan::scan(Arc::clone(&self.inner), repo.to_owned(), options)).await
    }

    /// Downloads everything a quant needs that is not here yet, and returns the manifest with the quant downloaded.
    ///
    /// # Errors
    /// Those of [`ModelCache::scan_repo`], and `ERR_QUANT_NOT_FOUND`, `ERR_INTEGRITY`, `ERR_NO_SPACE`, `ERR_READ_ONLY`,
    /// `ERR_IO`.
    pub async fn download_quant(
        &self,
        repo: &str,
        quant: &str,
        options: DownloadOptions,
    ) -> Result<Manifest> {
        self.call(download::quant(Arc::clone(&self.inner), repo.to_owned(), quant.to_owned(), options)).await
    }

    /// Downloads one file if it is not here yet.
    ///
    /// # Errors
    /// Those of [`ModelCache::download_quant`], `ERR_FILE_NOT_FOUND` instead of the quant's.
    pub async fn download_file(&self, repo: &str, path: &str, options: DownloadOptions) -> Result<FileInfo> {
        self.call(download::file(Arc::clone(&self.inner), repo.to_owned(), path.to_owned(), options)).await
    }

    /// Opens a file, downloading it first if it is not here.
    ///
    /// # Errors
    /// Those of [`ModelCache::download_file`] and of [`ModelCache::get_file`].
    pub async fn fetch_file(&self, repo: &str, path: &str, options: DownloadOptions) -> Result<CachedFile> {
        let revision = options.revision.clone();
        if let Some(file) = self.get_file(repo, path, revision.as_deref())? {
            return Ok(file);
        }
        self.download_file(repo, path, options).await?;
        self.get_file(repo, path, revision.as_deref())?.ok_or_else(|| Error::InUse {
            repo: repo.to_owned(),
            what: path.to_owned(),
            reason: "it was removed while it was fetched; call again".to_owned(),
        })
    }

    /// The newest stored manifest of a revision (`main` by default), with the state of its files now.
    ///
    /// # Errors
    /// `ERR_INVALID_ARGUMENT`, `ERR_CORRUPT`, `ERR_CLOSED`.
    pub fn get_manifest(&self, repo: &str, revision: Option<&str>) -> Result<Option<Manifest>> {
        self.inner.check_open()?;
        check_repo(repo)?;
        self.inner.manifest(repo, check_revision(revision)?)
    }

    /// The newest stored manifest of every revision that was scanned at this endpoint.
    ///
    /// # Errors
    /// `ERR_CORRUPT`, `ERR_CLOSED`.
    pub fn list_manifests(&self) -> Result<Vec<Manifest>> {
        self.inner.check_open()?;
        stats::list_manifests(&self.inner)
    }

    /// Whether a file is complete in the store.
    ///
    /// # Errors
    /// `ERR_INVALID_ARGUMENT`, `ERR_CORRUPT`, `ERR_CLOSED`.
    pub fn has_file(&self, repo: &str, path: &str, revision: Option<&str>) -> Result<bool> {
        self.inner.check_open()?;
        check_repo(repo)?;
        check_path(path)?;
        let revision = check_revision(revision)?;
        let endpoint = &self.inner.endpoint;
        self.inner.read(|txn| Ok(Lookup { txn, endpoint }.file(repo, revision, path)?.is_some()))
    }

    /// Opens a stored file; `None` when it is not complete here. No network, no copy.
    ///
    /// # Errors
    /// `ERR_INVALID_ARGUMENT`, `ERR_CORRUPT`, `ERR_CLOSED`, `ERR_IO`.
    pub fn get_file(&self, repo: &str, path: &str, revision: Option<&str>) -> Result<Option<CachedFile>> {
        self.inner.check_open()?;
        check_repo(repo)?;
        check_path(path)?;
        CachedFile::open(&self.inner, repo, path, check_revision(revision)?)
    }

    /// The files stored of a revision (`main` by default).
    ///
    /// # Errors
    /// `ERR_INVALID_ARGUMENT`, `ERR_CORRUPT`, `ERR_CLOSED`.
    pub fn list_files(&self, repo: &str, revision: Option<&str>) -> Result<Vec<FileInfo>> {
        self.inner.check_open()?;
        check_repo(repo)?;
        stats::list_files(&self.inner, repo, check_revision(revision)?)
    }

    /// Removes one stored file. Views of it stay valid.
    ///
    /// # Errors
    /// `ERR_INVALID_ARGUMENT`, `ERR_FILE_NOT_FOUND`, `ERR_READ_ONLY`, `ERR_IO`, `ERR_CLOSED`.
    pub async fn remove_file(&self, repo: &str, path: &str, revision: Option<&str>) -> Result<RemoveReport> {
        check_path(path)?;
        self.call(remove::file(
            Arc::clone(&self.inner),
            repo.to_owned(),
            path.to_owned(),
            revision.map(str::to_owned),
        ))
        .await
    }

    /// Removes what only this quant needs, partial downloads included. Views stay valid.
    ///
    /// # Errors
    /// `ERR_INVALID_ARGUMENT`, `ERR_REPO_NOT_FOUND`, `ERR_QUANT_NOT_FOUND`, `ERR_IN_USE` while it is downloaded,
    /// `ERR_READ_ONLY`, `ERR_IO`, `ERR_CLOSED`.
    pub async fn remove_quant(
        &self,
        repo: &str,
        quant: &str,
        revision: Option<&str>,
    ) -> Result<RemoveReport> {
        self.call(remove::quant(
            Arc::clone(&self.inner),
            repo.to_owned(),
            quant.to_owned(),
            revision.map(str::to_owned),
        ))
        .await
    }

    /// Removes a repository: all revisions, or the one named. Views stay valid.
    ///
    /// # Errors
    /// `ERR_INVALID_ARGUMENT`, `ERR_REPO_NOT_FOUND`, `ERR_IN_USE` while one of its quants is downloaded, `ERR_READ_ONLY`,
    /// `ERR_IO`, `ERR_CLOSED`.
    pub async fn remove_repo(&self, repo: &str, revision: Option<&str>) -> Result<RemoveReport> {
        self.call(remove::repo(Arc::clone(&self.inner), repo.to_owned(), revision.map(str::to_owned))).await
    }

    /// Counts and sizes of the whole store.
    ///
    /// # Errors
    /// `ERR_CORRUPT`, `ERR_IO`, `ERR_CLOSED`.
    pub fn stats(&self) -> Result<CacheStats> {
        self.inner.check_open()?;
        stats::stats(&self.inner)
    }

    /// Ends running downloads with `ERR_CLOSED` (their partial is kept) and refuses further calls. Views stay valid. Closing
    /// twice is allowed.
    ///
    /// # Errors
    /// None at present.
    pub async fn close(&self) -> Result<()> {
        let inner = Arc::clone(&self.inner);
        inner.closing.cancel();
        run(async move {
            inner.tasks.close();
            inner.tasks.wait().await;
            Ok(())
        })
        .await
    }

    async fn call<T: Send + 'static>(
        &self,
        work: impl Future<Output = Result<T>> + Send + 'static,
    ) -> Result<T> {
        self.inner.check_open()?;
        let inner = Arc::clone(&self.inner);
        run(async move {
            tokio::select! {
                biased;
                () = inner.closing.cancelled() => Err(inner.closed()),
                out = work => out,
            }
        })
        .await
    }
}

impl std::fmt::Debug for ModelCache {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ModelCache").field("path", &self.path()).finish_non_exhaustive()
    }
}

/// How often a process that waits for another's lease looks again.
pub(crate) const LEASE_POLL: Duration = Duration::from_millis(250);

/// Starts a task that outlives its callers' interest only to save what it has.
pub(crate) fn spawn(inner: &Inner, task: impl Future<Output = ()> + Send + 'static) -> Result<()> {
    inner.tasks.spawn_on(task, runtime::handle()?);
    Ok(())
}
