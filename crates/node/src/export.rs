//! Exports and what they report.

use std::path::PathBuf;

use napi::Env;
use napi::bindgen_prelude::PromiseRaw;
use napi_derive::napi;
use tabagent_model_cache::{ExportOptions, ExportReport, ExportedFile, Link, Method};

use crate::cache::NativeCache;
use crate::manifest::convert;
use crate::operation::Operation;
use crate::options::to_js;
use crate::progress::{Latest, Nudge};

/// Options of the exporting calls.
#[napi(object, object_to_js = false)]
pub struct NativeExportOptions {
    /// Absolute path of the folder for a quant, of the file for a file.
    pub destination: String,
    /// Branch, tag or commit.
    pub revision: Option<String>,
    /// How the files may come by their bytes.
    #[napi(ts_type = "'auto' | 'reflink' | 'copy'")]
    pub link: Option<String>,
    /// Replace files that exist.
    pub overwrite: Option<bool>,
}

impl NativeExportOptions {
    /// Where to, and how.
    fn into_core(self, latest: &Latest, nudge: Option<Nudge>) -> (PathBuf, ExportOptions) {
        let options = ExportOptions {
            revision: self.revision,
            link: match self.link.as_deref() {
                Some("reflink") => Link::Reflink,
                Some("copy") => Link::Copy,
                _ => Link::Auto,
            },
            overwrite: self.overwrite.unwrap_or_default(),
            progress: nudge.map(|nudge| latest.callback(nudge)),
        };
        (PathBuf::from(self.destination), options)
    }
}

#[napi]
impl NativeCache {
    /// Writes the files of a quant.
    #[napi(
        catch_unwind,
        ts_args_type = "repo: string, quant: string, options: NativeExportOptions, operation: Operation, nudge?: () => void",
        ts_return_type = "Promise<NativeExportReport>"
    )]
    pub fn export_quant<'env>(
        &self,
        env: &'env Env,
        repo: String,
        quant: String,
        options: NativeExportOptions,
        operation: &Operation,
        nudge: Option<Nudge>,
    ) -> napi::Result<PromiseRaw<'env, NativeExportReport>> {
        let (cache, (directory, options)) = (self.cache(), options.into_core(operation.latest(), nudge));
        operation.run(env, async move { cache.export_quant(&repo, &quant, &directory, options).await })
    }

    /// Writes a file.
    #[napi(
        catch_unwind,
        ts_args_type = "repo: string, path: string, options: NativeExportOptions, operation: Operation, nudge?: () => void",
        ts_return_type = "Promise<NativeExportReport>"
    )]
    pub fn export_file<'env>(
        &self,
        env: &'env Env,
        repo: String,
        path: String,
        options: NativeExportOptions,
        operation: &Operation,
        nudge: Option<Nudge>,
    ) -> napi::Result<PromiseRaw<'env, NativeExportReport>> {
        let (cache, (destination, options)) = (self.cache(), options.into_core(operation.latest(), nudge));
        operation.run(env, async move { cache.export_file(&repo, &path, &destination, options).await })
    }
}

/// See `ExportReport` in `src/export.ts`.
#[napi(object, object_from_js = false)]
pub struct NativeExportReport {
    /// The files.
    pub files: Vec<NativeExportedFile>,
}

impl From<ExportReport> for NativeExportReport {
    fn from(report: ExportReport) -> Self {
        Self { files: convert(report.files) }
    }
}

/// A plain file that was written.
#[napi(object, object_from_js = false)]
pub struct NativeExportedFile {
    /// Path within the repository.
    pub path: String,
    /// Where it is.
    pub destination: String,
    /// Bytes.
    pub size: f64,
    /// How it came by its bytes.
    #[napi(ts_type = "'reflink' | 'copy'")]
    pub method: &'static str,
}

impl From<ExportedFile> for NativeExportedFile {
    fn from(file: ExportedFile) -> Self {
        Self {
            path: file.path,
            destination: file.destination.to_string_lossy().into_owned(),
            size: to_js(file.size),
            method: match file.method {
                Method::Reflink => "reflink",
                Method::Copy => "copy",
            },
        }
    }
}
