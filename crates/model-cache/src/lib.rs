//! One on-disk cache of Hugging Face model files for all AI applications of a machine: scan a repository, download one
//! quantization variant (parallel, resumable, verified), and read every file as one contiguous zero-copy buffer.
//!
//! ```no_run
//! use std::path::Path;
//! use std::sync::Arc;
//! use tabagent_model_cache::{DownloadOptions, ModelCache, QuantStatus, ScanOptions, StorageRegistry};
//!
//! # async fn example() -> tabagent_model_cache::Result<()> {
//! let registry = Arc::new(StorageRegistry::new("./data"));
//! let cache = ModelCache::new(registry, Path::new("./model_cache_db"))?;
//!
//! let repo = "onnx-community/Phi-3.5-mini-instruct-onnx-web";
//! let manifest = cache.scan_repo(repo, ScanOptions::default()).await?;
//! println!("found {} quantizations", manifest.quants.len());
//!
//! let progress = DownloadOptions {
//!     progress: Some(Arc::new(|p| println!("{} of {} bytes", p.loaded, p.total))),
//!     ..DownloadOptions::default()
//! };
//! cache.download_quant(repo, "q4f16", progress).await?;
//!
//! if let Some(file) = cache.get_file(repo, "onnx/model_q4f16.onnx", None)? {
//!     println!("{} bytes, nothing copied", file.view()?.len());
//! }
//! let manifest = cache.get_manifest(repo, None)?;
//! if manifest.and_then(|m| m.quants.get("q4f16").map(|q| q.status)) == Some(QuantStatus::Downloaded) {
//!     println!("ready for inference");
//! }
//! # Ok(())
//! # }
//! ```
//!
//! The crate joins `tabagent-storage` (libmdbx) and `tabagent-hub` (HTTP), which do not know each other.

mod cache;
mod cached_file;
mod clock;
mod download;
mod error;
mod file;
mod flight;
mod lookup;
mod manifest;
mod options;
mod progress;
mod remove;
mod repo_name;
mod runtime;
mod scan;
mod sink;
mod stats;
mod status;
mod transfer;

pub use cache::ModelCache;
pub use cached_file::{CachedFile, FileView};
pub use error::{ERROR_CODES, Error, ErrorFields, Result};
pub use file::FileInfo;
pub use manifest::{Manifest, Quant, QuantError, QuantStatus};
pub use options::{CacheOptions, DownloadOptions, ScanOptions};
pub use progress::{Progress, ProgressCallback};
pub use remove::{Kept, RemoveReport};
pub use stats::CacheStats;
pub use tabagent_storage::{BlobReader, Digest, Extent, Mapping, StorageRegistry};
