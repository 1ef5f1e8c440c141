//! The cache.

use std::path::{Path, PathBuf};
use std::sync::LazyLock;

use pyo3::prelude::*;
use tabagent_model_cache::{
    DownloadOptions, ModelCache, PruneOptions, ScanOptions, StorageRegistry, VerifyOptions,
};

use crate::cached_file::NativeFile;
use crate::call::{blocking, wait, wait_reporting};
use crate::manifest::{NativeFileInfo, NativeManifest, convert};
use crate::options::NativeOpenOptions;
use crate::progress::Reporter;
use crate::report::{NativeCacheStats, NativePruneReport, NativeRemoveReport, NativeVerifyReport};

/// One for the process: libmdbx allows a database to be opened once in it.
static REGISTRY: LazyLock<StorageRegistry> = LazyLock::new(|| StorageRegistry::new(PathBuf::new()));

/// An open store; see `cache.py`.
#[pyclass(frozen, module = "tabagent_model_cache._native")]
pub(crate) struct NativeCache {
    cache: ModelCache,
}

impl NativeCache {
    /// The cache of the core.
    pub(crate) fn core(&self) -> &ModelCache {
        &self.cache
    }
}

#[pymethods]
impl NativeCache {
    /// Opens the store at an absolute path.
    #[new]
    fn new(py: Python<'_>, path: PathBuf, options: NativeOpenOptions) -> PyResult<Self> {
        let cache = blocking(py, || ModelCache::open(&REGISTRY, &path, options.into()))?;
        Ok(Self { cache })
    }

    /// Folder of the store.
    #[getter]
    fn path(&self) -> &Path {
        self.cache.path()
    }

    /// URL of the Hub it asks.
    #[getter]
    fn endpoint(&self) -> &str {
        self.cache.endpoint()
    }

    /// Lists a repository.
    fn scan_repo(
        &self,
        py: Python<'_>,
        repo: &str,
        revision: Option<String>,
        refresh: bool,
        headers: bool,
    ) -> PyResult<NativeManifest> {
        let options = ScanOptions { revision, refresh, headers };
        Ok(wait(py, self.cache.scan_repo_with(repo, options))?.into())
    }

    /// Downloads a quant.
    fn download_quant(
        &self,
        py: Python<'_>,
        repo: &str,
        quant: &str,
        revision: Option<String>,
        keep: bool,
        progress: Option<Py<PyAny>>,
    ) -> PyResult<NativeManifest> {
        let reporter = Reporter::new(progress);
        let options = DownloadOptions { revision, keep, progress: reporter.callback() };
        Ok(wait_reporting(py, &reporter, self.cache.download_quant_with(repo, quant, options))?.into())
    }

    /// Downloads a file.
    fn download_file(
        &self,
        py: Python<'_>,
        repo: &str,
        path: &str,
        revision: Option<String>,
        keep: bool,
        progress: Option<Py<PyAny>>,
    ) -> PyResult<NativeFileInfo> {
        let reporter = Reporter::new(progress);
        let options = DownloadOptions { revision, keep, progress: reporter.callback() };
        Ok(wait_reporting(py, &reporter, self.cache.download_file_with(repo, path, options))?.into())
    }

    /// Opens a file, downloaded first where it is missing.
    #[expect(clippy::too_many_arguments, reason = "one for each option of the Python call")]
    fn fetch_file(
        &self,
        py: Python<'_>,
        repo: &str,
        path: &str,
        revision: Option<String>,
        keep: bool,
        verify: bool,
        progress: Option<Py<PyAny>>,
    ) -> PyResult<NativeFile> {
        let reporter = Reporter::new(progress);
        let options = DownloadOptions { revision, keep, progress: reporter.callback() };
        let file = wait_reporting(py, &reporter, self.cache.fetch_file(repo, path, options))?;
        Ok(NativeFile::open(file, verify))
    }

    /// What is known of a revision.
    fn get_manifest(
        &self,
        py: Python<'_>,
        repo: &str,
        revision: Option<&str>,
    ) -> PyResult<Option<NativeManifest>> {
        Ok(blocking(py, || self.cache.get_manifest(repo, revision))?.map(Into::into))
    }

    /// What is known of all.
    fn list_manifests(&self, py: Python<'_>) -> PyResult<Vec<NativeManifest>> {
        blocking(py, || self.cache.list_manifests()).map(convert)
    }

    /// Whether a file is stored.
    fn has_file(&self, py: Python<'_>, repo: &str, path: &str, revision: Option<&str>) -> PyResult<bool> {
        blocking(py, || self.cache.has_file(repo, path, revision))
    }

    /// Opens a stored file.
    fn get_file(
        &self,
        py: Python<'_>,
        repo: &str,
        path: &str,
        revision: Option<&str>,
        verify: bool,
    ) -> PyResult<Option<NativeFile>> {
        let file = blocking(py, || self.cache.open_file(repo, path, revision))?;
        Ok(file.map(|file| NativeFile::open(file, verify)))
    }

    /// The stored files.
    fn list_files(
        &self,
        py: Python<'_>,
        repo: &str,
        revision: Option<&str>,
    ) -> PyResult<Vec<NativeFileInfo>> {
        blocking(py, || self.cache.list_files(repo, revision)).map(convert)
    }

    /// Removes a file.
    fn remove_file(
        &self,
        py: Python<'_>,
        repo: &str,
        path: &str,
        revision: Option<&str>,
    ) -> PyResult<NativeRemoveReport> {
        Ok(wait(py, self.cache.remove_file(repo, path, revision))?.into())
    }

    /// Removes a quant.
    fn remove_quant(
        &self,
        py: Python<'_>,
        repo: &str,
        quant: &str,
        revision: Option<&str>,
    ) -> PyResult<NativeRemoveReport> {
        Ok(wait(py, self.cache.remove_quant(repo, quant, revision))?.into())
    }

    /// Removes a repository or one of its revisions.
    fn remove_repo(
        &self,
        py: Python<'_>,
        repo: &str,
        revision: Option<&str>,
    ) -> PyResult<NativeRemoveReport> {
        Ok(wait(py, self.cache.remove_repo(repo, revision))?.into())
    }

    /// Checks what is stored.
    fn verify(
        &self,
        py: Python<'_>,
        repo: Option<String>,
        repair: bool,
        progress: Option<Py<PyAny>>,
    ) -> PyResult<NativeVerifyReport> {
        let reporter = Reporter::new(progress);
        let options = VerifyOptions { repo, repair, progress: reporter.callback() };
        Ok(wait_reporting(py, &reporter, self.cache.verify(options))?.into())
    }

    /// Removes what nobody needs; `partial_age` is in milliseconds.
    fn prune(
        &self,
        py: Python<'_>,
        dry_run: bool,
        max_size: Option<u64>,
        partial_age: Option<u64>,
        plain_files: bool,
    ) -> PyResult<NativePruneReport> {
        let partial_age = partial_age.map(std::time::Duration::from_millis);
        Ok(wait(py, self.cache.prune(PruneOptions { dry_run, max_size, partial_age, plain_files }))?.into())
    }

    /// What the store holds.
    fn stats(&self, py: Python<'_>) -> PyResult<NativeCacheStats> {
        Ok(blocking(py, || self.cache.stats())?.into())
    }

    /// Ends the running downloads.
    fn close(&self, py: Python<'_>) -> PyResult<()> {
        wait(py, self.cache.close())
    }
}
