//! Handles of stored files.

use std::ops::Range;

use napi::Env;
use napi::bindgen_prelude::{ArrayBuffer, PromiseRaw, Unknown};
use napi_derive::napi;
use tabagent_model_cache::{CachedFile, Extent};

use crate::buffer;
use crate::error::to_napi;
use crate::manifest::{NativeDigest, convert};
use crate::operation::blocking;
use crate::options::{from_js, to_js};

/// One handle of a stored file; see `src/cached-file.ts`.
#[napi]
pub struct NativeFile {
    /// `None` once closed.
    file: Option<CachedFile>,
}

#[napi]
impl NativeFile {
    /// What never changes while the handle is open.
    #[napi(catch_unwind)]
    pub fn describe(&self, env: Env) -> napi::Result<NativeFileDescription> {
        let file = self.file()?;
        let zero_copy = file.zero_copy() && file.size() >= buffer::SHOWN && buffer::external_allowed(&env);
        Ok(NativeFileDescription {
            repo: file.repo().to_owned(),
            path: file.path().to_owned(),
            commit: file.commit().to_owned(),
            size: to_js(file.size()),
            digest: file.digest().into(),
            zero_copy,
            view: view_name(file),
        })
    }

    /// A Buffer over the bytes from `start` to `end`, which is not empty.
    #[napi(catch_unwind, ts_return_type = "Buffer")]
    pub fn view<'env>(&self, env: &'env Env, start: f64, end: f64) -> napi::Result<Unknown<'env>> {
        let file = self.file()?;
        let range = range(start, end);
        if range == (0..file.size()) {
            return buffer::over(env, file.map().map_err(to_napi)?);
        }
        let reader = file.reader();
        if file.zero_copy() {
            buffer::over(env, reader.window(range).map_err(to_napi)?)
        } else {
            buffer::owning(env, reader.copy(range).map_err(to_napi)?)
        }
    }

    /// Checks the blocks that hold the bytes from `start` to `end`, each once.
    #[napi(catch_unwind)]
    pub fn verify(&self, start: f64, end: f64) -> napi::Result<()> {
        self.file()?.verify(range(start, end)).map_err(to_napi)
    }

    /// Like `verify`, on another thread.
    #[napi(catch_unwind, ts_return_type = "Promise<void>")]
    pub fn verify_async<'env>(
        &self,
        env: &'env Env,
        start: f64,
        end: f64,
    ) -> napi::Result<PromiseRaw<'env, ()>> {
        let file = self.file()?.clone();
        blocking(env, move || file.verify(range(start, end)))
    }

    /// Where the bytes lie.
    #[napi(catch_unwind)]
    pub fn extents(&self) -> napi::Result<Vec<NativeExtent>> {
        Ok(convert(self.file()?.extents()))
    }

    /// Ends this handle. Buffers made by it go on.
    #[napi(catch_unwind)]
    pub fn close(&mut self) {
        self.file = None;
    }
}

impl NativeFile {
    fn file(&self) -> napi::Result<&CachedFile> {
        self.file.as_ref().ok_or_else(|| napi::Error::from_reason("a closed handle was used"))
    }
}

impl From<CachedFile> for NativeFile {
    fn from(file: CachedFile) -> Self {
        Self { file: Some(file) }
    }
}

/// See the fields of `CachedFile` in `src/cached-file.ts`.
#[napi(object, object_from_js = false)]
pub struct NativeFileDescription {
    /// Repository.
    pub repo: String,
    /// Path within the repository.
    pub path: String,
    /// Commit.
    pub commit: String,
    /// Bytes.
    pub size: f64,
    /// Digest the endpoint announced.
    pub digest: NativeDigest,
    /// Whether views show the stored bytes themselves.
    pub zero_copy: bool,
    /// Names what its buffers show: handles with the same name can share them.
    pub view: String,
}

/// See `Extent` in `src/cached-file.ts`.
#[napi(object, object_from_js = false)]
pub struct NativeExtent {
    /// Path of the data file.
    pub file: String,
    /// First byte.
    pub offset: f64,
    /// Bytes.
    pub length: f64,
}

impl From<Extent> for NativeExtent {
    fn from(extent: Extent) -> Self {
        Self {
            file: extent.path.to_string_lossy().into_owned(),
            offset: to_js(extent.offset),
            length: to_js(extent.length),
        }
    }
}

/// Empties a Buffer's memory: its length becomes 0, and what it showed is released.
#[napi(catch_unwind)]
pub fn detach(memory: ArrayBuffer<'_>) -> napi::Result<()> {
    memory.detach()
}

/// The content, the store it lies in, and whether it is copied.
fn view_name(file: &CachedFile) -> String {
    let reader = file.reader();
    let root = reader.store().root().display();
    format!("{}:{}:{root}", hex::encode(reader.name().0), file.zero_copy())
}

fn range(start: f64, end: f64) -> Range<u64> {
    from_js(start)..from_js(end)
}
