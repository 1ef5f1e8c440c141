//! The cache as callers hold it. The calls that are not here stand beside what they return: export, import, verify, prune ...

use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock};

use tabagent_storage::StorageRegistry;

use crate::cached_file::{CachedFile, FileView};
use crate::error::{Error, Result};
use crate::file::FileInfo;
use crate::inner::Inner;
use crate::manifest::Manifest;
use crate::options::{CacheOptions, DownloadOptions, ScanOptions};
use crate::progress::ProgressCallback;
use crate::remove::{self, RemoveReport};
use crate::repo_name::{check_path, check_repo, check_revision};
use crate::runtime::{blocking, run};
use crate::{download, scan};

/// An open model cache. Clones share it.
///
/// Asynchronous calls run on the crate's own threads, so they can be awaited on any executor; dropping a future detaches its
/// caller, and a transfer ends (keeping what came) when its last caller is gone.
#[derive(Clone)]
pub struct ModelCache {
    path: PathBuf,
    endpoint: Arc<str>,
    /// Gone once closed, and the store with it as soon as no view needs it.
    inner: Arc<RwLock<Option<Arc<Inner>>>>,
}

impl ModelCache {
    /// Opens the cache at `path` with default options.
    ///
    /// # Errors
    /// As [`ModelCache::open`].
    #[expect(
        clippy::needless_pass_by_value,
        reason = "the constructor of the documented example, which gives its registry away"
    )]
    pub fn new(registry: Arc<StorageRegistry>, path: &Path) -> Result<Self> {
        Self::open(&registry, path, CacheOptions::default())
    }

    /// Opens the cache at `path`, creating it unless `options.read_only`.
    ///
    /// # Errors
    /// `ERR_READ_ONLY`, `ERR_IO`, `ERR_VERSION_MISMATCH`, `ERR_UNSUPPORTED_FILESYSTEM` when the folder cannot be used;
    /// `ERR_INVALID_ARGUMENT` for an endpoint that is not an http(s) URL.
    pub fn open(registry: &StorageRegistry, path: &Path, options: CacheOptions) -> Result<Self> {
        let inner = Arc::new(Inner::open(registry, path, options)?);
        Ok(Self {
            path: inner.store.root().to_owned(),
            endpoint: inner.options.endpoint.as_str().into(),
            inner: Arc::new(RwLock::new(Some(inner))),
        })
    }

    /// What an open cache is made of.
    pub(crate) fn inner(&self) -> Result<Arc<Inner>> {
        let inner = self.inner.read().unwrap_or_else(PoisonError::into_inner).clone();
        let inner = inner.ok_or_else(|| Error::Closed { path: self.path.display().to_string() })?;
        inner.store.check_process()?;
        Ok(inner)
    }

    /// URL of the Hub it asks.
    #[must_use]
    pub fn endpoint(&self) -> &str {
        &self.endpoint
    }

    /// The cache's folder, canonical.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Lists a repository's `main` branch with one request and sorts its files into quants.
    ///
    /// # Errors
    /// As [`ModelCache::scan_repo_with`].
    pub async fn scan_repo(&self, repo: &str) -> Result<Manifest> {
        self.scan_repo_with(repo, ScanOptions::default()).await
    }

    /// Lists a repository with one request and sorts its files into quants; with none for a commit that was scanned before, and a
    /// conditional one for a branch that was. With `options.headers` up to 16 more for each quant that no name settles.
    ///
    /// # Errors
    /// `ERR_INVALID_ARGUMENT`, `ERR_REPO_NOT_FOUND`, `ERR_REVISION_NOT_FOUND`, `ERR_UNAUTHORIZED`, `ERR_GATED`, `ERR_HTTP`,
    /// `ERR_CLOSED`; `ERR_OFFLINE`, `ERR_RATE_LIMITED`, `ERR_NETWORK` and server errors only when nothing is stored: else the stored
    /// listing comes, as stale.
    pub async fn scan_repo_with(&self, repo: &str, options: ScanOptions) -> Result<Manifest> {
        let inner = self.inner()?;
        inner.call(scan::scan(Arc::clone(&inner), repo.to_owned(), options)).await
    }

    /// Downloads a quant of the `main` branch.
    ///
    /// # Errors
    /// As [`ModelCache::download_quant_with`].
    pub async fn download_quant(
        &self,
        repo: &str,
        quant: &str,
        progress: Option<ProgressCallback>,
    ) -> Result<Manifest> {
        self.download_quant_with(repo, quant, progress.into()).await
    }

    /// Downloads everything a quant needs that is not here yet, and returns the manifest with the quant downloaded.
    ///
    /// # Errors
    /// Those of [`ModelCache::scan_repo_with`], and `ERR_QUANT_NOT_FOUND`, `ERR_INTEGRITY`, `ERR_NO_SPACE`, `ERR_READ_ONLY`,
    /// `ERR_IO`, `ERR_IN_USE` where the process that downloads it is stopped.
    pub async fn download_quant_with(
        &self,
        repo: &str,
        quant: &str,
        options: DownloadOptions,
    ) -> Result<Manifest> {
        let inner = self.inner()?;
        inner.call(download::quant(Arc::clone(&inner), repo.to_owned(), quant.to_owned(), options)).await
    }

    /// Downloads one file of the `main` branch if it is not here yet.
    ///
    /// # Errors
    /// As [`ModelCache::download_file_with`].
    pub async fn download_file(
        &self,
        repo: &str,
        path: &str,
        progress: Option<ProgressCallback>,
    ) -> Result<FileInfo> {
        self.download_file_with(repo, path, progress.into()).await
    }

    /// Downloads one file if it is not here yet.
    ///
    /// # Errors
    /// Those of [`ModelCache::download_quant_with`], `ERR_FILE_NOT_FOUND` instead of the quant's.
    pub async fn download_file_with(
        &self,
        repo: &str,
        path: &str,
        options: DownloadOptions,
    ) -> Result<FileInfo> {
        let inner = self.inner()?;
        inner.call(download::file(Arc::clone(&inner), repo.to_owned(), path.to_owned(), options)).await
    }

    /// Opens a file, downloading it first if it is not here.
    ///
    /// # Errors
    /// Those of [`ModelCache::download_file_with`] and of [`ModelCache::open_file`].
    pub async fn fetch_file(&self, repo: &str, path: &str, options: DownloadOptions) -> Result<CachedFile> {
        let revision = options.revision.clone();
        if let Some(file) = self.open_file(repo, path, revision.as_deref())? {
            return Ok(file);
        }
        self.download_file_with(repo, path, options).await?;
        self.open_file(repo, path, revision.as_deref())?.ok_or_else(|| Error::InUse {
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
        let inner = self.inner()?;
        check_repo(repo)?;
        inner.manifest(repo, check_revision(revision)?)
    }

    /// Whether a file is complete in the store.
    ///
    /// # Errors
    /// `ERR_INVALID_ARGUMENT`, `ERR_CORRUPT`, `ERR_CLOSED`.
    pub fn has_file(&self, repo: &str, path: &str, revision: Option<&str>) -> Result<bool> {
        let inner = self.inner()?;
        check_repo(repo)?;
        check_path(path)?;
        inner.has_file(repo, check_revision(revision)?, path)
    }

    /// The bytes of a stored file of the `main` branch; `None` when it is not complete here. No network, no copy.
    ///
    /// # Errors
    /// As [`ModelCache::open_file`], and `ERR_TOO_LARGE` past the mapping budget.
    pub fn get_file(&self, repo: &str, path: &str) -> Result<Option<FileView>> {
        self.open_file(repo, path, None)?.map(|file| file.view()).transpose()
    }

    /// Opens a stored file; `None` when it is not complete here. No network, no copy.
    ///
    /// # Errors
    /// `ERR_INVALID_ARGUMENT`, `ERR_CORRUPT`, `ERR_CLOSED`, `ERR_IO`.
    pub fn open_file(&self, repo: &str, path: &str, revision: Option<&str>) -> Result<Option<CachedFile>> {
        let inner = self.inner()?;
        check_repo(repo)?;
        check_path(path)?;
        CachedFile::open(&inner, repo, path, check_revision(revision)?)
    }

    /// Removes one stored file. Views of it stay valid.
    ///
    /// # Errors
    /// `ERR_INVALID_ARGUMENT`, `ERR_FILE_NOT_FOUND`, `ERR_IN_USE` while a process downloads a quant that needs it,
    /// `ERR_READ_ONLY`, `ERR_IO`, `ERR_CLOSED`.
    pub async fn remove_file(&self, repo: &str, path: &str, revision: Option<&str>) -> Result<RemoveReport> {
        check_path(path)?;
        let inner = self.inner()?;
        inner
            .call(remove::file(
                Arc::clone(&inner),
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
        let inner = self.inner()?;
        inner
            .call(remove::quant(
                Arc::clone(&inner),
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
        let inner = self.inner()?;
        inner.call(remove::repo(Arc::clone(&inner), repo.to_owned(), revision.map(str::to_owned))).await
    }

    /// Ends running downloads with `ERR_CLOSED` (their partial is kept) and refuses further calls. Views stay valid; the store
    /// itself is closed when this returns and no view needs it. Closing twice is allowed.
    ///
    /// # Errors
    /// None at present.
    pub async fn close(&self) -> Result<()> {
        let inner = self.inner.write().unwrap_or_else(PoisonError::into_inner).take();
        let Some(inner) = inner else { return Ok(()) };
        inner.closing.cancel();
        run(inner.tasks.cache(), async move {
            inner.tasks.close();
            inner.tasks.wait().await;
            // Closing the store flushes and unmaps: disk work.
            blocking(inner.tasks.token(), move || {
                drop(inner);
                Ok(())
            })
            .await
        })
        .await
    }
}

impl std::fmt::Debug for ModelCache {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ModelCache").field("path", &self.path()).finish_non_exhaustive()
    }
}
