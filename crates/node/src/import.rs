//! Imports and what they report.

use std::path::PathBuf;

use napi::Env;
use napi::bindgen_prelude::PromiseRaw;
use napi_derive::napi;
use tabagent_model_cache::{ImportOptions, ImportReport, ImportedFile, Skipped};

use crate::cache::NativeCache;
use crate::manifest::{NativeDigest, convert};
use crate::operation::Operation;
use crate::options::to_js;
use crate::progress::Nudge;

#[napi]
impl NativeCache {
    /// Takes models from a cache folder of `huggingface_hub`.
    #[napi(
        catch_unwind,
        ts_args_type = "directory: string, repo: string | undefined, operation: Operation, nudge?: () => void",
        ts_return_type = "Promise<NativeImportReport>"
    )]
    pub fn import_hf_cache<'env>(
        &self,
        env: &'env Env,
        directory: String,
        repo: Option<String>,
        operation: &Operation,
        nudge: Option<Nudge>,
    ) -> napi::Result<PromiseRaw<'env, NativeImportReport>> {
        let (cache, directory) = (self.cache(), PathBuf::from(directory));
        let progress = nudge.map(|nudge| operation.latest().callback(nudge));
        let options = ImportOptions { repo, progress };
        operation.run(env, async move { cache.import_hf_cache(&directory, options).await })
    }
}

/// See `ImportReport` in `src/import.ts`.
#[napi(object, object_from_js = false)]
pub struct NativeImportReport {
    /// Files that are stored now.
    pub imported: Vec<NativeImportedFile>,
    /// What was left alone.
    pub skipped: Vec<NativeSkipped>,
    /// Bytes of the imported files.
    pub bytes: f64,
}

impl From<ImportReport> for NativeImportReport {
    fn from(report: ImportReport) -> Self {
        Self {
            imported: convert(report.imported),
            skipped: convert(report.skipped),
            bytes: to_js(report.bytes),
        }
    }
}

/// A file that was imported.
#[napi(object, object_from_js = false)]
pub struct NativeImportedFile {
    /// Repository.
    pub repo: String,
    /// Commit.
    pub commit: String,
    /// Path within the repository.
    pub path: String,
    /// Bytes.
    pub size: f64,
    /// Digest that was checked.
    pub digest: NativeDigest,
    /// What it is for.
    pub role: String,
    /// Whether all bytes are stored.
    pub stored: bool,
}

impl From<ImportedFile> for NativeImportedFile {
    fn from(imported: ImportedFile) -> Self {
        let file = imported.file;
        Self {
            repo: imported.repo,
            commit: imported.commit,
            path: file.path,
            size: to_js(file.size),
            digest: file.digest.into(),
            role: file.role,
            stored: file.stored,
        }
    }
}

/// A file or folder that was left alone.
#[napi(object, object_from_js = false)]
pub struct NativeSkipped {
    /// Path in the folder.
    pub path: String,
    /// Why.
    pub why: String,
}

impl From<Skipped> for NativeSkipped {
    fn from(skipped: Skipped) -> Self {
        Self { path: skipped.path, why: skipped.why }
    }
}
