//! The store below the model cache: file bytes in 100 MiB chunks in one libmdbx environment, everything small in another.
//!
//! Two environments live under one root (on-disk format: `docs/design.md`):
//!
//! * **C**, `model_cache_chunks`: 64 KiB pages; the payload of every chunk starts on a 64 KiB or 1 MiB boundary of the data
//!   file, so that all chunks of a file can be mapped back to back into one contiguous, zero-copy view.
//! * **M**, `model_cache_manifests`: 4 KiB pages; records about files, blobs, revisions and quants.
//!
//! A *blob* is one file's bytes, named by their sha256. Creating goes C, then M; deleting goes M, then C; reading goes M, then
//! C. Whoever writes or deletes a blob holds its *lease*.

mod abandon;
mod activity;
mod advice;
mod backlog;
mod ballast;
mod block;
mod budget;
mod check;
mod chunk;
mod chunk_transaction;
mod closing;
mod digest;
mod environment;
mod error;
mod export;
mod extent;
mod finish;
mod format;
mod hasher;
mod hashes;
mod inspection;
mod journal;
mod key;
mod layout;
mod lease;
mod ledger;
mod lock_descriptor;
mod lock_file;
mod lock_folder;
mod lost;
mod mapping;
mod mend;
mod missing_room;
mod mutex;
mod orphan;
mod owned_bytes;
mod partial;
mod patch;
mod pin;
mod placement;
mod plain_file;
mod plain_folder;
mod plain_set;
mod plain_survey;
mod platform;
mod process;
mod put;
mod raw;
mod reader;
mod readers;
mod rebuild;
mod recent;
mod record;
mod recorded;
mod registry;
mod remove;
mod repair;
mod reservation;
mod room;
mod scope;
mod segments;
mod snapshot;
mod space;
mod store;
mod stub;
mod sync;
mod table;
#[cfg(test)]
mod tests;
mod together;
mod transaction;
mod unused_headers;
mod upkeep;
mod usage;
mod verify;
mod version;
mod workers;
mod writer;

pub use activity::Activity;
pub use check::{CheckWatch, Verdict};
pub use digest::{BlobName, Digest, Incarnation};
pub use error::{OPENED_READ_ONLY, Result, StorageError};
pub use export::{Advance, Link, Method};
pub use extent::Extent;
pub use finish::Finish;
pub use key::Key;
pub use layout::{BLOCK_SIZE, CHUNK_SIZE, DATA_FILE, INLINE_LIMIT};
pub use lease::{Lease, Presence};
pub use mapping::Mapping;
pub use mend::DamagedRecord;
pub use orphan::Orphans;
pub use partial::StalePartial;
pub use patch::{Patch, Patched};
pub use plain_file::{Folder, PlainFile};
pub use plain_set::{Added, PlainSet, PlainSetWriter};
pub use plain_survey::PlainCount;
pub use put::PutOutcome;
pub use reader::BlobReader;
pub use record::{
    AliasRecord, BlobRecord, BlobState, FileMetadata, FormatRecord, HeaderRecord, ImportRecord, ManifestFile,
    ManifestQuant, ManifestRecord, QuantFault, QuantRecord, Record, RefCommit, RefRecord, Segment,
    SortingRecord, UseRecord,
};
pub use registry::{StorageRegistry, StoreOptions};
pub use remove::Freed;
pub use scope::{EndpointId, RepoScope};
pub use store::Store;
pub use stub::{Draw, Stub, StubDraft, StubName};
pub use table::{
    Aliases, Blobs, Files, Formats, Headers, Imports, InlineBytes, Inlines, Manifests, Quants, Refs,
    Sortings, Table, Uses,
};
pub use transaction::{ReadTransaction, WriteTransaction};
pub use usage::{BlobStatus, Usage};
pub use version::Version;
pub use writer::BlobWriter;
