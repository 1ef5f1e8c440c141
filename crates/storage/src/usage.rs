//! How much a store holds.

use std::collections::HashSet;
use std::ops::ControlFlow;

use crate::digest::BlobName;
use crate::error::{Result, StorageError};
use crate::key::Key;
use crate::layout::CHUNK_PAGE;
use crate::record::{BlobRecord, BlobState};
use crate::store::Store;
use crate::table::Blobs;

/// Numbers about a store.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Usage {
    /// Complete blobs.
    pub blobs: u64,
    /// Their bytes.
    pub bytes: u64,
    /// Durable bytes of blobs that are not complete.
    pub partial_bytes: u64,
    /// Bytes of C that hold nothing and still occupy disk, whether a view pins them or not: new blobs are written there before
    /// the store takes more of the disk. Bytes already given back (holes in the file) do not count.
    pub reusable: u64,
    /// Bytes the data files of both environments occupy on the disk.
    pub disk_bytes: u64,
    /// Pinned states of C, of all processes: each keeps what was deleted since from being reused.
    pub readers: u64,
    /// Views of this process: mappings and copies in memory.
    pub views: u64,
}

/// What is known about one blob.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BlobStatus {
    /// Whole size in bytes.
    pub size: u64,
    /// Whether all bytes are here and their digest was right.
    pub complete: bool,
    /// Durable bytes.
    pub downloaded: u64,
}

impl BlobStatus {
    fn of(record: &BlobRecord) -> Self {
        let complete = record.state != BlobState::Partial;
        Self { size: record.size, complete, downloaded: record.downloaded() }
    }
}

impl Store {
    /// What is known about a blob; `None` when nothing of it is here.
    ///
    /// # Errors
    /// [`StorageError::Corrupt`] when its record is damaged.
    pub fn blob(&self, name: &BlobName) -> Result<Option<BlobStatus>> {
        let record = self.read(|t| t.get::<Blobs>(&Key::blob(name)))?;
        Ok(record.as_ref().map(BlobStatus::of))
    }

    /// The blobs that handles of this process have open.
    #[must_use]
    pub fn opened(&self) -> HashSet<BlobName> {
        self.readers.all().iter().map(|reader| *reader.name()).collect()
    }

    /// Counts what the store holds.
    ///
    /// # Errors
    /// [`StorageError::Corrupt`] when a record is damaged, [`StorageError::Database`].
    pub fn usage(&self) -> Result<Usage> {
        let mut usage = Usage::default();
        self.read(|t| {
            t.scan::<Blobs>(&Key::blobs(), |_, record| {
                usage.count(BlobStatus::of(&record));
                Ok(ControlFlow::Continue(()))
            })
        })?;
        usage.reusable = self.reusable()?;
        usage.disk_bytes = self.chunks.disk_bytes()? + self.manifests.disk_bytes()?;
        usage.readers = self.chunks.environment()?.live_readers().map_err(|error| self.failed(error))?;
        usage.views = self.readers.views();
        Ok(usage)
    }

    /// Bytes of C that hold nothing and occupy disk.
    pub(crate) fn reusable(&self) -> Result<u64> {
        let pages = self.snapshot()?.page_counts()?;
        let held = (pages.allocated - pages.free) * CHUNK_PAGE as u64;
        Ok(self.chunks.disk_bytes()?.saturating_sub(held))
    }

    fn failed(&self, error: libmdbx::Error) -> StorageError {
        StorageError::database("list the readers", self.chunks.path(), error)
    }
}

impl Usage {
    fn count(&mut self, blob: BlobStatus) {
        if blob.complete {
            self.blobs += 1;
            self.bytes += blob.size;
        } else {
            self.partial_bytes += blob.downloaded;
        }
    }
}
