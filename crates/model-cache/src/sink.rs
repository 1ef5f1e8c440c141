//! Where downloaded bytes go.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use tabagent_hub::{RangeSink, SinkError};
use tabagent_storage::{BlobWriter, Lease, StorageError};

use crate::lock::lock;

/// Straight to their place in the store.
pub(crate) struct BlobSink {
    pub(crate) writer: BlobWriter,
    /// Bytes of the file that are here, for progress.
    pub(crate) loaded: Arc<AtomicU64>,
}

impl RangeSink for BlobSink {
    fn write(&self, offset: u64, bytes: Bytes) -> Result<(), SinkError> {
        self.writer.write_received(offset, bytes)?;
        self.loaded.store(self.writer.written(), Ordering::Relaxed);
        Ok(())
    }
}

/// Bytes fetched again for a file whose digest was wrong: they replace those that differ.
pub(crate) struct RepairSink {
    pub(crate) writer: BlobWriter,
    /// Bytes of the file compared so far, for progress.
    pub(crate) loaded: Arc<AtomicU64>,
}

impl RangeSink for RepairSink {
    fn write(&self, offset: u64, bytes: Bytes) -> Result<(), SinkError> {
        self.writer.compare(offset, &bytes)?;
        self.loaded.fetch_add(bytes.len() as u64, Ordering::Relaxed);
        Ok(())
    }
}

/// Into memory: files too small for chunks, and git files whose blob name is known only at the end.
pub(crate) struct MemorySink {
    bytes: Mutex<Vec<u8>>,
    loaded: Arc<AtomicU64>,
    /// Tells other processes.
    lease: Arc<Lease>,
}

impl MemorySink {
    pub(crate) fn new(size: usize, loaded: Arc<AtomicU64>, lease: Arc<Lease>) -> Self {
        Self { bytes: Mutex::new(vec![0; size]), loaded, lease }
    }

    /// The bytes gathered.
    pub(crate) fn take(&self) -> Vec<u8> {
        std::mem::take(&mut lock(&self.bytes))
    }
}

impl RangeSink for MemorySink {
    fn write(&self, offset: u64, bytes: Bytes) -> Result<(), SinkError> {
        let mut all = lock(&self.bytes);
        let start = usize::try_from(offset)?;
        let place = start.checked_add(bytes.len()).and_then(|end| all.get_mut(start..end));
        let place = place.ok_or_else(|| StorageError::Corrupt {
            what: "a downloaded file".to_owned(),
            reason: format!("bytes at {offset} lie past its end"),
        })?;
        place.copy_from_slice(&bytes);
        self.loaded.fetch_add(bytes.len() as u64, Ordering::Relaxed);
        self.lease.show(|| self.loaded.load(Ordering::Relaxed));
        Ok(())
    }
}
