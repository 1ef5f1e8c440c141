//! An owned read transaction of C: as long as it lives, no page it can see is recycled.

use std::sync::Arc;

use crate::chunk::{ChunkHeader, SEAL_OFFSET, chunk_key, seal};
use crate::digest::{BlobName, Incarnation};
use crate::environment::ChunkEnvironment;
use crate::error::{Result, StorageError};
use crate::layout::{PAGE_HEADER, chunk_count, value_length};
use crate::mutex::Mutex;
use crate::platform;
use crate::raw::{PageCounts, PageRun, ReadHandle, RunValue};

/// A pinned state of C.
pub(crate) struct Snapshot {
    // Field order is load-bearing: the transaction ends before its environment may close.
    handle: Mutex<ReadHandle>,
    environment: Arc<ChunkEnvironment>,
}

impl Snapshot {
    /// Pins the newest state.
    pub(crate) fn begin(environment: Arc<ChunkEnvironment>) -> Result<Self> {
        let handle = environment
            .environment()?
            .begin_read()
            .map_err(|error| StorageError::database("pin a snapshot", environment.path(), error))?;
        Ok(Self { handle: Mutex::new(handle), environment })
    }

    /// Number of the pinned state.
    pub(crate) fn id(&self) -> u64 {
        self.handle.lock().id()
    }

    /// How many pages the pinned state has.
    pub(crate) fn page_counts(&self) -> Result<PageCounts> {
        self.handle
            .lock()
            .page_counts()
            .map_err(|error| StorageError::database("count pages", self.environment.path(), error))
    }

    /// Page runs of all chunks of an incarnation, in order; `None` when one is missing.
    pub(crate) fn runs(&self, incarnation: &Incarnation, file_size: u64) -> Result<Option<Vec<PageRun>>> {
        let mut runs = Vec::new();
        for n in 0..chunk_count(file_size) {
            let n = u32::try_from(n).map_err(|_| too_many_chunks(file_size))?;
            match self.run(&ChunkHeader { incarnation: *incarnation, n, file_size })? {
                Some(run) => runs.push(run),
                None => return Ok(None),
            }
        }
        Ok(Some(runs))
    }

    /// The page run of the value under `key`, by its page header alone.
    pub(crate) fn place(&self, key: &[u8]) -> Result<Option<PageRun>> {
        let handle = self.handle.lock();
        let value = handle
            .get(self.environment.table(), key)
            .map_err(|error| StorageError::database("find a chunk", self.environment.path(), error))?;
        Ok(value.map(|value| value.run))
    }

    /// Bytes of the finished blob that chunk 0 of an incarnation says it begins; `None` when it is another one or none.
    pub(crate) fn sealed(&self, incarnation: &Incarnation, name: &BlobName) -> Result<Option<u64>> {
        let handle = self.handle.lock();
        let key = chunk_key(incarnation, 0);
        let value = handle
            .get(self.environment.table(), key.as_bytes())
            .map_err(|error| StorageError::database("find a chunk", self.environment.path(), error))?;
        let Some(RunValue { padding, .. }) = value else { return Ok(None) };
        let is_sealed = padding.get(SEAL_OFFSET..).is_some_and(|end| end == seal(&name.0));
        Ok(ChunkHeader::file_size(padding).filter(|_| is_sealed))
    }

    fn run(&self, header: &ChunkHeader) -> Result<Option<PageRun>> {
        let handle = self.handle.lock();
        let key = chunk_key(&header.incarnation, header.n);
        let value = handle
            .get(self.environment.table(), key.as_bytes())
            .map_err(|error| StorageError::database("find a chunk", self.environment.path(), error))?;
        let Some(value) = value else { return Ok(None) };
        self.check(header, &value)?;
        Ok(Some(value.run))
    }

    /// Page-header guards: before an offset is trusted, the padding must be the chunk's own and the page header must be the
    /// same in the file as in the map.
    fn check(&self, header: &ChunkHeader, value: &RunValue<'_>) -> Result<()> {
        let damaged = |reason: &str| StorageError::corrupt(format!("chunk {} of a blob", header.n), reason);
        if value.length as u64 != value_length(header.payload_length()) || !header.matches(value.padding) {
            return Err(damaged("its header names another chunk"));
        }
        let mut on_disk = [0; PAGE_HEADER];
        let path = self.environment.path();
        let file = self.environment.data_file()?;
        platform::read_at(file, &mut on_disk, value.run.offset())
            .map_err(|error| StorageError::io("read a page header", path, error))?;
        if on_disk == value.page_header {
            Ok(())
        } else {
            Err(damaged("its page lies elsewhere in the file"))
        }
    }
}

fn too_many_chunks(size: u64) -> StorageError {
    StorageError::TooLarge { what: "a file".to_owned(), size, limit: crate::layout::CHUNK_MAX_SIZE as u64 }
}
