//! The cache.

use std::path::PathBuf;
use std::sync::LazyLock;

use napi::Env;
use napi::bindgen_prelude::PromiseRaw;
use napi_derive::napi;
use tabagent_model_cache::{ModelCache, StorageRegistry};

use crate::cached_file::NativeFile;
use crate::error::to_napi;
use crate::manifest::{NativeFileInfo, NativeManifest, convert};
use crate::operation::{Operation, blocking, promise};
use crate::options::{
    NativeDownloadOptions, NativeOpenOptions, NativePruneOptions, NativeScanOptions, NativeVerifyOptions,
};
use crate::progress::Nudge;
use crate::report::{NativeCacheStats, NativePruneReport, NativeRemoveReport, NativeVerifyReport};

/// One for the process: libmdbx allows a database to be opened once in it, and worker threads share this static.
static REGISTRY: LazyLock<StorageRegistry> = LazyLock::new(|| StorageRegistry::new(PathBuf::new()));

/// Opens the store at an absolute path.
#[napi(catch_unwind, ts_return_type = "Promise<NativeCache>")]
pub fn open_cache(
    env: &Env,
    path: String,
    options: NativeOpenOptions,
) -> napi::Result<PromiseRaw<'_, NativeCache>> {
    blocking(env, move || ModelCache::open(&REGISTRY, path.as_ref(), options.into()))
}

/// An open store; see `src/cache.ts`.
#[napi]
pub struct NativeCache {
    cache: ModelCache,
}

impl NativeCache {
    /// The cache of the core.
    pub(crate) fn cache(&self) -> ModelCache {
        self.cache.clone()
    }
}

impl From<ModelCache> for NativeCache {
    fn from(cache: ModelCache) -> Self {
        Self { cache }
    }
}

#[napi]
impl NativeCache {
    /// Folder of the store.
    #[napi(getter, catch_unwind)]
    pub fn path(&self) -> String {
        self.cache.path().to_string_lossy().into_owned()
    }

    /// URL of the Hub it asks.
    #[napi(getter, catch_unwind)]
    pub fn endpoint(&self) -> String {
        self.cache.endpoint().to_owned()
    }

    /// Lists a repository.
    #[napi(catch_unwind, ts_return_type = "Promise<NativeManifest>")]
    pub fn scan_repo<'env>(
        &self,
        env: &'env Env,
        repo: String,
        options: NativeScanOptions,
        operation: &Operation,
    ) -> napi::Result<PromiseRaw<'env, NativeManifest>> {
        let cache = self.cache.clone();
        operation.run(env, async move { cache.scan_repo_with(&repo, options.into()).await })
    }

    /// Downloads a quant.
    #[napi(
        catch_unwind,
        ts_args_type = "repo: string, quant: string, options: NativeDownloadOptions, operation: Operation, nudge?: () => void",
        ts_return_type = "Promise<NativeManifest>"
    )]
    pub fn download_quant<'env>(
        &self,
        env: &'env Env,
        repo: String,
        quant: String,
        options: NativeDownloadOptions,
        operation: &Operation,
        nudge: Option<Nudge>,
    ) -> napi::Result<PromiseRaw<'env, NativeManifest>> {
        let (cache, options) = (self.cache.clone(), options.into_core(operation.latest(), nudge));
        operation.run(env, async move { cache.download_quant_with(&repo, &quant, options).await })
    }

    /// Downloads a file.
    #[napi(
        catch_unwind,
        ts_args_type = "repo: string, path: string, options: NativeDownloadOptions, operation: Operation, nudge?: () => void",
        ts_return_type = "Promise<NativeFileInfo>"
    )]
    pub fn download_file<'env>(
        &self,
        env: &'env Env,
        repo: String,
        path: String,
        options: NativeDownloadOptions,
        operation: &Operation,
        nudge: Option<Nudge>,
    ) -> napi::Result<PromiseRaw<'env, NativeFileInfo>> {
        let (cache, options) = (self.cache.clone(), options.into_core(operation.latest(), nudge));
        operation.run(env, async move { cache.download_file_with(&repo, &path, options).await })
    }

    /// Opens a file, downloaded first where it is missing.
    #[napi(
        catch_unwind,
        ts_args_type = "repo: string, path: string, options: NativeDownloadOptions, operation: Operation, nudge?: () => void",
        ts_return_type = "Promise<NativeFile>"
    )]
    pub fn fetch_file<'env>(
        &self,
        env: &'env Env,
        repo: String,
        path: String,
        options: NativeDownloadOptions,
        operation: &Operation,
        nudge: Option<Nudge>,
    ) -> napi::Result<PromiseRaw<'env, NativeFile>> {
        let (cache, options) = (self.cache.clone(), options.into_core(operation.latest(), nudge));
        operation.run(env, async move { cache.fetch_file(&repo, &path, options).await })
    }

    /// What is known of a revision.
    #[napi(catch_unwind)]
    pub fn get_manifest(
        &self,
        repo: String,
        revision: Option<String>,
    ) -> napi::Result<Option<NativeManifest>> {
        let manifest = self.cache.get_manifest(&repo, revision.as_deref()).map_err(to_napi)?;
        Ok(manifest.map(Into::into))
    }

    /// What is known of all.
    #[napi(catch_unwind)]
    pub fn list_manifests(&self) -> napi::Result<Vec<NativeManifest>> {
        self.cache.list_manifests().map(convert).map_err(to_napi)
    }

    /// Whether a file is stored.
    #[napi(catch_unwind)]
    pub fn has_file(&self, repo: String, path: String, revision: Option<String>) -> napi::Result<bool> {
        self.cache.has_file(&repo, &path, revision.as_deref()).map_err(to_napi)
    }

    /// Opens a stored file.
    #[napi(catch_unwind)]
    pub fn get_file(
        &self,
        repo: String,
        path: String,
        revision: Option<String>,
    ) -> napi::Result<Option<NativeFile>> {
        let file = self.cache.open_file(&repo, &path, revision.as_deref()).map_err(to_napi)?;
        Ok(file.map(Into::into))
    }

    /// The stored files.
    #[napi(catch_unwind)]
    pub fn list_files(&self, repo: String, revision: Option<String>) -> napi::Result<Vec<NativeFileInfo>> {
        self.cache.list_files(&repo, revision.as_deref()).map(convert).map_err(to_napi)
    }

    /// Removes a file.
    #[napi(catch_unwind, ts_return_type = "Promise<NativeRemoveReport>")]
    pub fn remove_file<'env>(
        &self,
        env: &'env Env,
        repo: String,
        path: String,
        revision: Option<String>,
    ) -> napi::Result<PromiseRaw<'env, NativeRemoveReport>> {
        let cache = self.cache.clone();
        promise(env, async move { cache.remove_file(&repo, &path, revision.as_deref()).await })
    }

    /// Removes a quant.
    #[napi(catch_unwind, ts_return_type = "Promise<NativeRemoveReport>")]
    pub fn remove_quant<'env>(
        &self,
        env: &'env Env,
        repo: String,
        quant: String,
        revision: Option<String>,
    ) -> napi::Result<PromiseRaw<'env, NativeRemoveReport>> {
        let cache = self.cache.clone();
        promise(env, async move { cache.remove_quant(&repo, &quant, revision.as_deref()).await })
    }

    /// Removes a repository or one of its revisions.
    #[napi(catch_unwind, ts_return_type = "Promise<NativeRemoveReport>")]
    pub fn remove_repo<'env>(
        &self,
        env: &'env Env,
        repo: String,
        revision: Option<String>,
    ) -> napi::Result<PromiseRaw<'env, NativeRemoveReport>> {
        let cache = self.cache.clone();
        promise(env, async move { cache.remove_repo(&repo, revision.as_deref()).await })
    }

    /// Removes what nobody needs.
    #[napi(catch_unwind, ts_return_type = "Promise<NativePruneReport>")]
    pub fn prune<'env>(
        &self,
        env: &'env Env,
        options: NativePruneOptions,
    ) -> napi::Result<PromiseRaw<'env, NativePruneReport>> {
        let cache = self.cache.clone();
        promise(env, async move { cache.prune(options.into()).await })
    }

    /// Checks what is stored.
    #[napi(
        catch_unwind,
        ts_args_type = "options: NativeVerifyOptions, operation: Operation, nudge?: () => void",
        ts_return_type = "Promise<NativeVerifyReport>"
    )]
    pub fn verify<'env>(
        &self,
        env: &'env Env,
        options: NativeVerifyOptions,
        operation: &Operation,
        nudge: Option<Nudge>,
    ) -> napi::Result<PromiseRaw<'env, NativeVerifyReport>> {
        let (cache, options) = (self.cache.clone(), options.into_core(operation.latest(), nudge));
        operation.run(env, async move { cache.verify(options).await })
    }

    /// What the store holds.
    #[napi(catch_unwind)]
    pub fn stats(&self) -> napi::Result<NativeCacheStats> {
        self.cache.stats().map(Into::into).map_err(to_napi)
    }

    /// Ends the running downloads.
    #[napi(catch_unwind, ts_return_type = "Promise<void>")]
    pub fn close<'env>(&self, env: &'env Env) -> napi::Result<PromiseRaw<'env, ()>> {
        let cache = self.cache.clone();
        promise(env, async move { cache.close().await })
    }
}
