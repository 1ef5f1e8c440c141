//! Manifests as dictionaries; `manifest.py` makes its classes of them.

use pyo3::prelude::*;
use tabagent_model_cache::{Digest, FileInfo, FileList, Manifest, Quant, QuantError};

/// See `Manifest` in `manifest.py`.
#[derive(IntoPyObject)]
pub(crate) struct NativeManifest {
    repo: String,
    revision: String,
    commit: String,
    pipeline_task: Option<String>,
    library_name: Option<String>,
    license: Option<String>,
    tags: Vec<String>,
    gated: bool,
    stale: bool,
    /// Milliseconds since 1970.
    scanned_at: u64,
    /// In order of their names.
    quants: Vec<NativeQuant>,
    shared_files: Vec<NativeFileInfo>,
}

impl From<Manifest> for NativeManifest {
    fn from(manifest: Manifest) -> Self {
        Self {
            repo: manifest.repo,
            revision: manifest.revision,
            commit: manifest.commit,
            pipeline_task: manifest.pipeline_task,
            library_name: manifest.library_name,
            license: manifest.license,
            tags: manifest.tags,
            gated: manifest.gated,
            stale: manifest.stale,
            scanned_at: manifest.scanned_at_ms,
            quants: manifest.quants.into_values().map(Into::into).collect(),
            shared_files: files(&manifest.shared_files),
        }
    }
}

/// See `Quant` in `manifest.py`.
#[derive(IntoPyObject)]
pub(crate) struct NativeQuant {
    name: String,
    format: String,
    status: &'static str,
    files: Vec<NativeFileInfo>,
    size: u64,
    downloaded: u64,
    error: Option<NativeQuantError>,
    /// Milliseconds since 1970.
    updated_at: u64,
}

impl From<Quant> for NativeQuant {
    fn from(quant: Quant) -> Self {
        Self {
            name: quant.name,
            format: quant.format,
            status: quant.status.as_str(),
            files: files(&quant.files),
            size: quant.size,
            downloaded: quant.downloaded,
            error: quant.error.map(Into::into),
            updated_at: quant.updated_at_ms,
        }
    }
}

/// See `QuantError` in `manifest.py`.
#[derive(IntoPyObject)]
pub(crate) struct NativeQuantError {
    code: String,
    message: String,
}

impl From<QuantError> for NativeQuantError {
    fn from(error: QuantError) -> Self {
        Self { code: error.code, message: error.message }
    }
}

/// See `FileInfo` in `manifest.py`.
#[derive(IntoPyObject)]
pub(crate) struct NativeFileInfo {
    path: String,
    size: u64,
    digest: NativeDigest,
    role: String,
    stored: bool,
}

impl From<FileInfo> for NativeFileInfo {
    fn from(file: FileInfo) -> Self {
        Self {
            path: file.path,
            size: file.size,
            digest: file.digest.into(),
            role: file.role,
            stored: file.stored,
        }
    }
}

/// See `Digest` in `manifest.py`.
#[derive(IntoPyObject)]
pub(crate) struct NativeDigest {
    algorithm: &'static str,
    value: String,
}

impl From<Digest> for NativeDigest {
    fn from(digest: Digest) -> Self {
        Self { algorithm: digest.algorithm(), value: digest.value() }
    }
}

/// A list of the core as a list for Python.
pub(crate) fn convert<T, R: From<T>>(list: Vec<T>) -> Vec<R> {
    list.into_iter().map(Into::into).collect()
}

fn files(list: &FileList) -> Vec<NativeFileInfo> {
    list.iter().cloned().map(Into::into).collect()
}
