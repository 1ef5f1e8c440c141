//! Manifests as JSON text: V8 makes objects of it many times faster than they are made property by property.
//! `src/manifest.ts` says what is in it, and gives it dates and names.

use napi::bindgen_prelude::{Either, Latin1String};
use napi_derive::napi;
use serde::ser::Error as _;
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
const TYPICAL_FILE: usize = 160;

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
    shared_files: Runs<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pipeline_task: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    library_name: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    license: Option<&'a str>,
    files: FilesDocument<'a>,
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
            shared_files: Runs(manifest.shared_files.places()),
            files: FilesDocument::of(manifest.shared_files.listing()),
        }
    }
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct QuantDocument<'a> {
    name: &'a str,
    format: &'a str,
    status: &'static str,
    files: Runs<'a>,
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
            files: Runs(quant.files.places()),
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

/// Places in the listing: first place and length of each run of neighbours, one after the other.
struct Runs<'a>(&'a [u32]);

impl Serialize for Runs<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let runs = self.0.chunk_by(|place, next| place.checked_add(1) == Some(*next));
        serializer.collect_seq(runs.flat_map(|run| {
            let first = run.first().copied().unwrap_or_default() as usize;
            [first, run.len()]
        }))
    }
}

/// The files of the listing, each once, as columns: that they are objects is known to whoever reads them.
#[derive(Serialize)]
struct FilesDocument<'a> {
    paths: Vec<&'a str>,
    sizes: Vec<u64>,
    digests: Vec<DigestDocument<'a>>,
    /// The different roles ...
    roles: Vec<&'a str>,
    /// ... and which of them each file has.
    role: Vec<usize>,
    /// A letter for each file: `1` for a stored one, else `0`.
    stored: String,
}

impl<'a> FilesDocument<'a> {
    fn of(listing: &'a [FileInfo]) -> Self {
        let mut roles: Vec<&str> = Vec::new();
        let role = listing.iter().map(|file| place_of(&mut roles, &file.role)).collect();
        Self {
            paths: listing.iter().map(|file| file.path.as_str()).collect(),
            sizes: listing.iter().map(|file| file.size).collect(),
            digests: listing.iter().map(|file| DigestDocument(&file.digest)).collect(),
            roles,
            role,
            stored: listing.iter().map(|file| if file.stored { '1' } else { '0' }).collect(),
        }
    }
}

/// Where the word is among the words, which get it when they lack it.
fn place_of<'a>(words: &mut Vec<&'a str>, word: &'a str) -> usize {
    words.iter().position(|known| *known == word).unwrap_or_else(|| {
        words.push(word);
        words.len() - 1
    })
}

/// In lower-case hexadecimal; its length tells the algorithm.
struct DigestDocument<'a>(&'a Digest);

impl Serialize for DigestDocument<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let bytes: &[u8] = match self.0 {
            Digest::Sha256(bytes) => bytes,
            Digest::GitSha1(bytes) => bytes,
        };
        let mut digits = [0; 64];
        let digits = digits.get_mut(..2 * bytes.len()).unwrap_or_default();
        hex::encode_to_slice(bytes, digits).map_err(S::Error::custom)?;
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
