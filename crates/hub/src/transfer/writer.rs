//! Small network reads gathered to large writes, with one write under way while the next one fills.

use std::sync::Arc;

use tokio::task::JoinHandle;

use super::RangeSink;
use crate::error::{HubError, SinkError};

/// Most bytes of one write. A connection holds at most two buffers of this size.
const BUFFER: usize = 1 << 20;

type Write = JoinHandle<Result<Vec<u8>, SinkError>>;

/// Writes of one connection, in order.
pub(crate) struct Writer {
    sink: Arc<dyn RangeSink>,
    offset: u64,
    filling: Vec<u8>,
    spare: Option<Vec<u8>>,
    capacity: usize,
    pending: Option<Write>,
}

impl Writer {
    /// `size` bounds what will come, so that a small file takes a small buffer.
    pub(crate) fn new(sink: Arc<dyn RangeSink>, size: u64) -> Self {
        let capacity = usize::try_from(size).map_or(BUFFER, |size| size.min(BUFFER));
        Self { sink, offset: 0, filling: Vec::with_capacity(capacity), spare: None, capacity, pending: None }
    }

    /// Takes bytes of the file at `offset`. Waits for the disk when both buffers are in use.
    pub(crate) async fn push(&mut self, mut offset: u64, mut bytes: &[u8]) -> Result<(), HubError> {
        if self.offset + self.filling.len() as u64 != offset {
            self.flush().await?;
            self.offset = offset;
        }
        while !bytes.is_empty() {
            let (head, tail) = bytes.split_at(bytes.len().min(BUFFER - self.filling.len()));
            self.filling.extend_from_slice(head);
            offset += head.len() as u64;
            bytes = tail;
            if self.filling.len() == BUFFER {
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
        let empty = self.spare.take().unwrap_or_else(|| Vec::with_capacity(self.capacity));
        let mut bytes = std::mem::replace(&mut self.filling, empty);
        let (sink, offset) = (Arc::clone(&self.sink), self.offset);
        self.pending = Some(tokio::task::spawn_blocking(move || {
            sink.write(offset, &bytes)?;
            bytes.clear();
            Ok(bytes)
        }));
        Ok(())
    }

    async fn settle(&mut self) -> Result<(), HubError> {
        let Some(pending) = self.pending.as_mut() else { return Ok(()) };
        let written = pending.await;
        self.pending = None;
        let written = written.map_err(|panicked| HubError::Sink(panicked.into()))?;
        self.spare = Some(written.map_err(HubError::Sink)?);
        Ok(())
    }
}
