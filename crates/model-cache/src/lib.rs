//! One on-disk cache of Hugging Face model files for all AI applications of a machine: scan a repository, download one
//! quantization variant (parallel, resumable, verified), and read every file as one contiguous zero-copy buffer.
//!
//! ```no_run
//! use std::path::Path;
//! use std::sync::Arc;
//! use tabagent_model_cache::{ModelCache, QuantStatus, StorageRegistry};
//!
//! # async fn example() -> tabagent_model_cache::Result<()> {
//! // One environment per path per process.
//! let registry = Arc::new(StorageRegistry::new("./data"));
//! let cache = ModelCache::new(registry, Path::new("./model_cache_db"))?;
//!
//! let repo = "onnx-community/Phi-3.5-mini-instruct-onnx-web";
//! let manifest = cache.scan_repo(repo).await?;
//! println!("Found {} quantizations", manifest.quants.len());
//!
//! cache
//!     .download_quant(
//!         repo,
//!         "q4f16",
//!         Some(Arc::new(|p| println!("Progress: {}/{} MB", p.loaded / 1_000_000, p.total / 1_000_000))),
//!     )
//!     .await?;
//!
//! if let Some(data) = cache.get_file(repo, "onnx/model_q4f16.onnx")? {
//!     println!("File size: {} bytes", data.len());
//! }
//!
//! if let Some(quant) = cache.get_manifest(repo, None)?.and_then(|mut manifest| manifest.quants.remove("q4f16")) {
//!     match quant.status {
//!         QuantStatus::Downloaded => println!("Ready for inference!"),
//!         QuantStatus::Downloading => println!("Download in progress..."),
//!         QuantStatus::Available | QuantStatus::Failed => println!("Not available"),
//!     }
//! }
//! # Ok(())
//! # }
//! ```
//!
//! The crate joins `tabagent-storage` (libmdbx) and `tabagent-hub` (HTTP), which do not know each other.

mod batch;
mod cache;
mod cached_file;
mod checking;
mod clock;
mod detached_model;
mod download;
mod error;
mod evict;
mod export;
mod file;
#[cfg(test)]
mod fixture;
mod flight;
mod gauge;
mod header;
mod header_ranges;
mod hf_cache;
mod history;
mod import;
mod imported;
mod inner;
mod inspection;
mod intake;
mod known_scopes;
mod local_file;
mod lock;
mod lookup;
mod manifest;
mod mend;
mod meter;
#[cfg(test)]
#[path = "../../testing/mutation.rs"]
mod mutation;
mod onnx;
mod onnx_model;
mod options;
mod overview;
mod patch;
mod place;
mod plain_choice;
mod plain_files;
mod progress;
mod prune;
mod refinement;
mod remove;
mod repair;
mod repo_name;
mod required;
mod runtime;
mod scan;
mod sink;
mod sorting;
mod stats;
mod status;
mod stored_file;
mod tasks;
mod told;
mod transfer;
mod verify;
mod wait;
mod watch;

pub use cache::ModelCache;
pub use cached_file::{CachedFile, FileView};
pub use detached_model::{DetachedModel, DetachedWeights};
pub use error::{ERROR_CODES, Error, ErrorFields, Result};
pub use export::{ExportOptions, ExportReport, ExportedFile};
pub use file::{FileInfo, FileList};
pub use header::{Dimension, Graph, GraphPort, Header, TensorData, TensorInfo};
pub use hf_cache::Skipped;
pub use import::{ImportOptions, ImportReport, ImportedFile};
pub use inspection::Inspection;
pub use manifest::{Manifest, Quant, QuantError, QuantStatus};
pub use onnx_model::OnnxModel;
pub use options::{CacheOptions, DownloadOptions, ScanOptions};
pub use plain_files::{MaterializeOptions, PlainFile, PlainFiles, PlainMethod};
pub use progress::{FileProgress, Progress, ProgressCallback};
pub use prune::{PruneOptions, PruneReport, PrunedQuant};
pub use remove::{Kept, RemoveReport};
pub use stats::CacheStats;
pub use tabagent_hub::ProxyOptions;
pub use tabagent_storage::{BlobReader, Digest, Extent, Link, Mapping, Method, StorageRegistry};
pub use verify::{DamagedRange, DamagedRecord, MissingFile, VerifyOptions, VerifyReport};
pub use watch::{Nudge, Watch, WatchOptions};
