//! Plain files that processes share.

use napi::Env;
use napi::bindgen_prelude::PromiseRaw;
use napi_derive::napi;
use tabagent_model_cache::{MaterializeOptions, PlainFile, PlainFiles, PlainMethod};

use crate::cache::NativeCache;
use crate::manifest::convert;
use crate::operation::{Operation, blocking};
use crate::options::to_js;
use crate::progress::{Latest, Nudge};

/// Options of `materialize`.
#[napi(object, object_to_js = false)]
pub struct NativeMaterializeOptions {
    /// Branch, tag or commit.
    pub revision: Option<String>,
    /// Leave the files there when nobody holds them any more.
    pub keep: Option<bool>,
}

impl NativeMaterializeOptions {
    fn into_core(self, latest: &Latest, nudge: Option<Nudge>) -> MaterializeOptions {
        MaterializeOptions {
            revision: self.revision,
            keep: self.keep.unwrap_or_default(),
            progress: nudge.map(|nudge| latest.callback(nudge)),
        }
    }
}

#[napi]
impl NativeCache {
    /// Holds the plain files of a file or quant.
    #[napi(
        catch_unwind,
        ts_args_type = "repo: string, pathOrQuant: string, options: NativeMaterializeOptions, operation: Operation, nudge?: () => void",
        ts_return_type = "Promise<NativePlainFiles>"
    )]
    pub fn materialize<'env>(
        &self,
        env: &'env Env,
        repo: String,
        path_or_quant: String,
        options: NativeMaterializeOptions,
        operation: &Operation,
        nudge: Option<Nudge>,
    ) -> napi::Result<PromiseRaw<'env, NativePlainFiles>> {
        let (cache, options) = (self.cache(), options.into_core(operation.latest(), nudge));
        operation.run(env, async move { cache.materialize(&repo, &path_or_quant, options).await })
    }
}

/// Held plain files; see `src/plain-files.ts`.
#[napi]
pub struct NativePlainFiles {
    /// `None` once closed.
    files: Option<PlainFiles>,
}

impl From<PlainFiles> for NativePlainFiles {
    fn from(files: PlainFiles) -> Self {
        Self { files: Some(files) }
    }
}

#[napi]
impl NativePlainFiles {
    /// What never changes while the files are held.
    #[napi(catch_unwind)]
    pub fn describe(&self) -> napi::Result<NativePlainFilesDescription> {
        let files = self.files.as_ref();
        let files = files.ok_or_else(|| napi::Error::from_reason("a closed handle was used"))?;
        Ok(NativePlainFilesDescription {
            path: files.path().to_string_lossy().into_owned(),
            folder: files.folder().to_string_lossy().into_owned(),
            copied: to_js(files.copied()),
            files: convert(files.files().to_vec()),
        })
    }

    /// Lets the files go; resolves when those that nobody holds are gone.
    #[napi(catch_unwind, ts_return_type = "Promise<void>")]
    pub fn close<'env>(&mut self, env: &'env Env) -> napi::Result<PromiseRaw<'env, ()>> {
        let files = self.files.take();
        blocking(env, move || {
            drop(files);
            Ok(())
        })
    }
}

/// See the fields of `PlainFiles` in `src/plain-files.ts`.
#[napi(object, object_from_js = false)]
pub struct NativePlainFilesDescription {
    /// The file for an engine.
    pub path: String,
    /// Folder of the files.
    pub folder: String,
    /// Bytes copied.
    pub copied: f64,
    /// The files.
    pub files: Vec<NativePlainFile>,
}

/// See `PlainFile` in `src/plain-files.ts`.
#[napi(object, object_from_js = false)]
pub struct NativePlainFile {
    /// Path within the repository.
    pub path: String,
    /// Where it is.
    pub file: String,
    /// Bytes.
    pub size: f64,
    /// How it came to be there.
    #[napi(ts_type = "'reflink' | 'copy' | 'shared'")]
    pub method: &'static str,
}

impl From<PlainFile> for NativePlainFile {
    fn from(file: PlainFile) -> Self {
        Self {
            path: file.path,
            file: file.file.to_string_lossy().into_owned(),
            size: to_js(file.size),
            method: match file.method {
                PlainMethod::Reflink => "reflink",
                PlainMethod::Copy => "copy",
                PlainMethod::Shared => "shared",
            },
        }
    }
}
