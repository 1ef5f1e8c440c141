//! Manifests as plain objects; `src/manifest.ts` gives them dates and names.

use napi_derive::napi;
use tabagent_model_cache::{Digest, FileInfo, Manifest, Quant, QuantError};

use crate::options::to_js;

/// See `Manifest` in `src/manifest.ts`.
#[napi(object, object_from_js = false)]
pub struct NativeManifest {
    /// Name at the endpoint.
    pub repo: String,
    /// Branch, tag or commit that was asked for.
    pub revision: String,
    /// Commit it stood for.
    pub commit: String,
    /// Pipeline task.
    pub pipeline_task: Option<String>,
    /// Library name.
    pub library_name: Option<String>,
    /// License.
    pub license: Option<String>,
    /// Tags.
    pub tags: Vec<String>,
    /// Whether access must be asked for.
    pub gated: bool,
    /// Whether the endpoint could not be asked.
    pub stale: bool,
    /// Milliseconds since 1970.
    pub scanned_at: f64,
    /// In order of their names.
    pub quants: Vec<NativeQuant>,
    /// Files that every quant needs.
    pub shared_files: Vec<NativeFileInfo>,
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
            scanned_at: to_js(manifest.scanned_at_ms),
            quants: manifest.quants.into_values().map(Into::into).collect(),
            shared_files: convert(manifest.shared_files),
        }
    }
}

/// See `Quant` in `src/manifest.ts`.
#[napi(object, object_from_js = false)]
pub struct NativeQuant {
    /// Name.
    pub name: String,
    /// Format.
    #[napi(ts_type = "'onnx' | 'gguf' | 'safetensors' | 'openvino' | 'pytorch' | 'other'")]
    pub format: String,
    /// Status.
    #[napi(ts_type = "'available' | 'downloading' | 'downloaded' | 'failed'")]
    pub status: &'static str,
    /// Everything it needs.
    pub files: Vec<NativeFileInfo>,
    /// Bytes.
    pub size: f64,
    /// Bytes that are stored.
    pub downloaded: f64,
    /// Why the last download failed.
    pub error: Option<NativeQuantError>,
    /// Milliseconds since 1970.
    pub updated_at: f64,
}

impl From<Quant> for NativeQuant {
    fn from(quant: Quant) -> Self {
        Self {
            name: quant.name,
            format: quant.format,
            status: quant.status.as_str(),
            files: convert(quant.files),
            size: to_js(quant.size),
            downloaded: to_js(quant.downloaded),
            error: quant.error.map(Into::into),
            updated_at: to_js(quant.updated_at_ms),
        }
    }
}

/// Why a download failed.
#[napi(object, object_from_js = false)]
pub struct NativeQuantError {
    /// Error code.
    pub code: String,
    /// Message.
    pub message: String,
}

impl From<QuantError> for NativeQuantError {
    fn from(error: QuantError) -> Self {
        Self { code: error.code, message: error.message }
    }
}

/// See `FileInfo` in `src/manifest.ts`.
#[napi(object, object_from_js = false)]
pub struct NativeFileInfo {
    /// Path within the repository.
    pub path: String,
    /// Bytes.
    pub size: f64,
    /// Digest the endpoint announced.
    pub digest: NativeDigest,
    /// What it is for.
    pub role: String,
    /// Whether all bytes are stored.
    pub stored: bool,
}

impl From<FileInfo> for NativeFileInfo {
    fn from(file: FileInfo) -> Self {
        Self {
            path: file.path,
            size: to_js(file.size),
            digest: file.digest.into(),
            role: file.role,
            stored: file.stored,
        }
    }
}

/// See `Digest` in `src/manifest.ts`.
#[napi(object, object_from_js = false)]
pub struct NativeDigest {
    /// Algorithm.
    #[napi(ts_type = "'sha256' | 'git-sha1'")]
    pub algorithm: &'static str,
    /// Lower-case hexadecimal.
    pub value: String,
}

impl From<Digest> for NativeDigest {
    fn from(digest: Digest) -> Self {
        match digest {
            Digest::Sha256(bytes) => Self { algorithm: "sha256", value: hex::encode(bytes) },
            Digest::GitSha1(bytes) => Self { algorithm: "git-sha1", value: hex::encode(bytes) },
        }
    }
}

/// A list of the core as a list for JavaScript.
pub(crate) fn convert<T, R: From<T>>(list: Vec<T>) -> Vec<R> {
    list.into_iter().map(Into::into).collect()
}
