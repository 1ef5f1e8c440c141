//! Manifests as JSON text: V8 makes objects of it many times faster than they are made property by property.
//! `src/manifest.ts` says what is in it, and gives it dates and names.

use napi::bindgen_prelude::{Either, Latin1String};
use napi_derive::napi;
use serde::ser::{Error as _, SerializeStruct as _};
use serde::{Serialize, Serializer};
use tabagent_model_cache::{Digest, FileInfo, Manifest, Quant, QuantError};

use crate::options::to_js;

/// A `ManifestDocument` of `src/manifest.ts` as text. V8 takes ASCII as it is, and reads anything else letter by letter.
#[napi(transparent)]
pub struct NativeManifest(pub Either<Latin1String, String>);

impl From<Manifest> for NativeManifest {
    fn from(manifest: Manifest) -> Self {
        let mut text = Vec::with_capacity(TYPICAL_FILE * (manifest.shared_files.listing().len() + 4));
        // Memory refuses nothing, and all keys are strings.
        serde_json::to_writer(&mut text, &Document::of(&manifest)).ok();
        let text = String::from_utf8(text).unwrap_or_default();
        Self(if text.is_ascii() { Either::A(text.into()) } else { Either::B(text) })
    }
}

/// Bytes that a file takes in a text, with its part in the quants.
const TYPICAL_FILE: usize = 256;

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Document<'a> {
    repo: &'a str,
    revision: &'a str,
    commit: &'a str,
    tags: &'a [String],
    gated: bool,
    stale: bool,
    /// Milliseconds since 1970.
    scanned_at: u64,
    /// In order of their names.
    quants: Vec<QuantDocument<'a>>,
    /// Places in `files`.
    shared_files: &'a [u32],
    #[serde(skip_serializing_if = "Option::is_none")]
    pipeline_task: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    library_name: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    license: Option<&'a str>,
    /// Those of the listing, each once.
    files: Vec<FileDocument<'a>>,
}

impl<'a> Document<'a> {
    fn of(manifest: &'a Manifest) -> Self {
        Self {
            repo: &manifest.repo,
            revision: &manifest.revision,
            commit: &manifest.commit,
            pipeline_task: manifest.pipeline_task.as_deref(),
            library_name: manifest.library_name.as_deref(),
            license: manifest.license.as_deref(),
            tags: &manifest.tags,
            gated: manifest.gated,
            stale: manifest.stale,
            scanned_at: manifest.scanned_at_ms,
            quants: manifest.quants.values().map(QuantDocument::of).collect(),
            shared_files: manifest.shared_files.places(),
            files: manifest.shared_files.listing().iter().map(FileDocument::of).collect(),
        }
    }
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct QuantDocument<'a> {
    name: &'a str,
    format: &'a str,
    status: &'static str,
    /// Places in the `files` of the document.
    files: &'a [u32],
    size: u64,
    downloaded: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<ErrorDocument<'a>>,
    /// Milliseconds since 1970.
    updated_at: u64,
}

impl<'a> QuantDocument<'a> {
    fn of(quant: &'a Quant) -> Self {
        Self {
            name: &quant.name,
            format: &quant.format,
            status: quant.status.as_str(),
            files: quant.files.places(),
            size: quant.size,
            downloaded: quant.downloaded,
            error: quant.error.as_ref().map(|QuantError { code, message }| ErrorDocument { code, message }),
            updated_at: quant.updated_at_ms,
        }
    }
}

#[derive(Serialize)]
struct ErrorDocument<'a> {
    code: &'a str,
    message: &'a str,
}

#[derive(Serialize)]
struct FileDocument<'a> {
    path: &'a str,
    size: u64,
    digest: DigestDocument<'a>,
    role: &'a str,
    stored: bool,
}

impl<'a> FileDocument<'a> {
    fn of(file: &'a FileInfo) -> Self {
        let FileInfo { path, size, digest, role, stored } = file;
        Self { path, size: *size, digest: DigestDocument(digest), role, stored: *stored }
    }
}

/// See `Digest` in `src/manifest.ts`.
struct DigestDocument<'a>(&'a Digest);

impl Serialize for DigestDocument<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let (algorithm, bytes): (_, &[u8]) = match self.0 {
            Digest::Sha256(bytes) => ("sha256", bytes),
            Digest::GitSha1(bytes) => ("git-sha1", bytes),
        };
        let mut document = serializer.serialize_struct("Digest", 2)?;
        document.serialize_field("algorithm", algorithm)?;
        document.serialize_field("value", &Hexadecimal(bytes))?;
        document.end()
    }
}

/// Bytes in lower-case hexadecimal, at most 32 of them.
struct Hexadecimal<'a>(&'a [u8]);

impl Serialize for Hexadecimal<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut digits = [0; 64];
        let digits = digits.get_mut(..2 * self.0.len()).unwrap_or_default();
        hex::encode_to_slice(self.0, digits).map_err(S::Error::custom)?;
        serializer.serialize_str(str::from_utf8(digits).map_err(S::Error::custom)?)
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
        Self { algorithm: digest.algorithm(), value: digest.value() }
    }
}

/// A list of the core as a list for JavaScript.
pub(crate) fn convert<T, R: From<T>>(list: Vec<T>) -> Vec<R> {
    list.into_iter().map(Into::into).collect()
}
