//! Small network reads gathered to large writes, with one write under way while the next one fills.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use tokio::task::JoinHandle;
use tokio::time::Instant;

use super::RangeSink;
use crate::error::{HubError, SinkError};

/// Most bytes of one write: 1 MiB.
const LARGEST_WRITE: usize = 1 << 20;

/// Bytes wait no longer than this for others to be written with, as long as some come: what is only gathered is neither shown
/// as progress nor kept by a kill.
const LONGEST_GATHERING: Duration = Duration::from_millis(250);

/// The buffers of a transfer, used in turn by its connections: one filling per connection, one per write under way, and those that
/// the sink still reads.
pub(crate) struct Buffers {
    free: Mutex<Vec<Vec<u8>>>,
    capacity: usize,
    waited_micros: AtomicU64,
}

impl Buffers {
    /// For a file of `size` bytes: a small file takes a small buffer.
    pub(crate) fn new(size: u64) -> Self {
        let capacity = usize::try_from(size).map_or(LARGEST_WRITE, |size| size.min(LARGEST_WRITE));
        Self { free: Mutex::default(), capacity, waited_micros: AtomicU64::new(0) }
    }

    /// How long connections have waited for their writes, in all.
    pub(crate) fn waited(&self) -> Duration {
        Duration::from_micros(self.waited_micros.load(Ordering::Relaxed))
    }

    fn note_wait(&self, since: Instant) {
        let micros = u64::try_from(since.elapsed().as_micros()).unwrap_or(u64::MAX);
        self.waited_micros.fetch_add(micros, Ordering::Relaxed);
    }

    fn take(&self) -> Vec<u8> {
        self.free().pop().unwrap_or_else(|| Vec::with_capacity(self.capacity))
    }

    fn give_back(&self, mut buffer: Vec<u8>) {
        buffer.clear();
        self.free().push(buffer);
    }

    fn free(&self) -> MutexGuard<'_, Vec<Vec<u8>>> {
        self.free.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A full buffer; it is given back when nobody reads it any more.
struct Filled {
    bytes: Vec<u8>,
    buffers: Arc<Buffers>,
}

impl AsRef<[u8]> for Filled {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}

impl Drop for Filled {
    fn drop(&mut self) {
        self.buffers.give_back(std::mem::take(&mut self.bytes));
    }
}

/// Writes of one connection, in order.
pub(crate) struct Writer {
    sink: Arc<dyn RangeSink>,
    buffers: Arc<Buffers>,
    filling: Vec<u8>,
    /// When the first byte of `filling` came.
    began: Instant,
    offset: u64,
    pending: Option<JoinHandle<Result<(), SinkError>>>,
}

impl Writer {
    pub(crate) fn new(sink: Arc<dyn RangeSink>, buffers: Arc<Buffers>) -> Self {
        Self { sink, filling: buffers.take(), buffers, began: Instant::now(), offset: 0, pending: None }
    }

    /// Takes bytes of the file at `offset`. Waits for the disk when a write is under way and the next one is full.
    pub(crate) async fn push(&mut self, mut offset: u64, mut bytes: &[u8]) -> Result<(), HubError> {
        if self.offset + self.filling.len() as u64 != offset {
            self.flush().await?;
            self.offset = offset;
        }
        while !bytes.is_empty() {
            if self.filling.is_empty() {
                self.began = Instant::now();
            }
            let (head, tail) = bytes.split_at(bytes.len().min(LARGEST_WRITE - self.filling.len()));
            self.filling.extend_from_slice(head);
            offset += head.len() as u64;
            bytes = tail;
            if self.filling.len() == LARGEST_WRITE || self.began.elapsed() >= LONGEST_GATHERING {
                self.flush().await?;
                self.offset = offset;
            }
        }
        Ok(())
    }

    /// Everything taken so far is with the sink when this returns.
    pub(crate) async fn finish(&mut self) -> Result<(), HubError> {
        self.flush().await?;
        self.settle().await
    }

    /// Ends the write under way and forgets what was only gathered.
    pub(crate) async fn abandon(&mut self) {
        self.filling.clear();
        // The transfer has already failed for another reason, which is the one to report.
        drop(self.settle().await);
    }

    async fn flush(&mut self) -> Result<(), HubError> {
        if self.filling.is_empty() {
            return Ok(());
        }
        self.settle().await?;
        let bytes = std::mem::replace(&mut self.filling, self.buffers.take());
        let bytes = Bytes::from_owner(Filled { bytes, buffers: Arc::clone(&self.buffers) });
        let (sink, offset) = (Arc::clone(&self.sink), self.offset);
        self.pending = Some(tokio::task::spawn_blocking(move || sink.write(offset, bytes)));
        Ok(())
    }

    async fn settle(&mut self) -> Result<(), HubError> {
        let Some(pending) = self.pending.as_mut() else { return Ok(()) };
        let began = Instant::now();
        let written = pending.await;
        self.buffers.note_wait(began);
        self.pending = None;
        written.map_err(|panicked| HubError::Sink(panicked.into()))?.map_err(HubError::Sink)
    }
}
