//! Small network reads gathered to large writes, with one write under way while the next one fills.

use std::sync::Arc;
use std::time::Duration;

use tokio::task::JoinHandle;
use tokio::time::{Instant, timeout_at};

use super::RangeSink;
use super::buffers::{BUFFER_SIZE, Buffers};
use super::waits::Waits;
use crate::error::{HubError, SinkError};

/// Bytes wait no longer than this for others to be written with: what is only gathered is neither shown as progress nor kept by
/// a kill.
const LONGEST_GATHERING: Duration = Duration::from_millis(250);

/// Writes of one connection, in order.
pub(crate) struct Writer {
    sink: Arc<dyn RangeSink>,
    buffers: Arc<Buffers>,
    waits: Arc<Waits>,
    /// Without memory while nothing is gathered.
    filling: Vec<u8>,
    /// When the first byte of `filling` came.
    began: Instant,
    offset: u64,
    pending: Option<JoinHandle<Result<(), SinkError>>>,
}

impl Writer {
    pub(crate) fn new(sink: Arc<dyn RangeSink>, buffers: Arc<Buffers>, waits: Arc<Waits>) -> Self {
        Self { sink, buffers, waits, filling: Vec::new(), began: Instant::now(), offset: 0, pending: None }
    }

    /// Takes bytes of the file at `offset`. Waits for the disk when a write is under way and the next one is full.
    pub(crate) async fn push(&mut self, mut offset: u64, mut bytes: &[u8]) -> Result<(), HubError> {
        if self.offset + self.filling.len() as u64 != offset {
            self.flush().await?;
            self.offset = offset;
        }
        while !bytes.is_empty() {
            if self.filling.is_empty() {
                (self.filling, self.began) = (self.buffers.take(), Instant::now());
            }
            let (head, tail) = bytes.split_at(bytes.len().min(BUFFER_SIZE - self.filling.len()));
            self.filling.extend_from_slice(head);
            offset += head.len() as u64;
            bytes = tail;
            if self.filling.len() == BUFFER_SIZE || self.began.elapsed() >= LONGEST_GATHERING {
                self.flush().await?;
                self.offset = offset;
            }
        }
        Ok(())
    }

    /// Waits for `step`; what was gathered does not wait as long as that.
    pub(crate) async fn during<T>(&mut self, step: impl Future<Output = T>) -> Result<T, HubError> {
        tokio::pin!(step);
        if !self.filling.is_empty() {
            if let Ok(done) = timeout_at(self.began + LONGEST_GATHERING, &mut step).await {
                return Ok(done);
            }
            self.flush().await?;
        }
        Ok(step.await)
    }

    /// Everything taken so far is with the sink when this returns.
    pub(crate) async fn finish(&mut self) -> Result<(), HubError> {
        self.flush().await?;
        self.settle().await
    }

    /// Ends the write under way and forgets what was only gathered.
    pub(crate) async fn abandon(&mut self) {
        self.filling = Vec::new();
        // The transfer has already failed for another reason, which is the one to report.
        drop(self.settle().await);
    }

    async fn flush(&mut self) -> Result<(), HubError> {
        if self.filling.is_empty() {
            return Ok(());
        }
        self.settle().await?;
        let bytes = self.buffers.share(std::mem::take(&mut self.filling));
        let (sink, offset) = (Arc::clone(&self.sink), self.offset);
        self.pending = Some(tokio::task::spawn_blocking(move || sink.write(offset, bytes)));
        Ok(())
    }

    async fn settle(&mut self) -> Result<(), HubError> {
        let Some(pending) = self.pending.as_mut() else { return Ok(()) };
        let began = Instant::now();
        let written = pending.await;
        self.waits.note(began);
        self.pending = None;
        written.map_err(|panicked| HubError::Sink(panicked.into()))?.map_err(HubError::Sink)
    }
}
