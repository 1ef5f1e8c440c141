//! The connection limit shared by all transfers of a client.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_util::sync::CancellationToken;

use crate::error::HubError;

/// A permit is one connection that carries file bytes.
pub(crate) struct Pool {
    permits: Arc<Semaphore>,
    size: usize,
    waiting: AtomicUsize,
}

impl Pool {
    pub(crate) fn new(size: usize) -> Self {
        Self { permits: Arc::new(Semaphore::new(size)), size, waiting: AtomicUsize::new(0) }
    }

    pub(crate) fn size(&self) -> usize {
        self.size
    }

    /// A transfer's first connection: waits its turn.
    pub(crate) async fn first(&self, cancel: &CancellationToken) -> Result<OwnedSemaphorePermit, HubError> {
        let _waiting = Waiting::enter(&self.waiting);
        let permit = cancel.run_until_cancelled(Arc::clone(&self.permits).acquire_owned()).await;
        // The semaphore is never closed, so the inner error cannot come.
        permit.and_then(Result::ok).ok_or(HubError::Cancelled)
    }

    /// A further connection, when one is free right now.
    pub(crate) fn further(&self) -> Option<OwnedSemaphorePermit> {
        Arc::clone(&self.permits).try_acquire_owned().ok()
    }

    /// Whether some transfer has no connection at all yet.
    pub(crate) fn is_wanted(&self) -> bool {
        self.waiting.load(Ordering::Relaxed) > 0
    }
}

/// Counts one waiting transfer, also when its future is dropped.
struct Waiting<'a>(&'a AtomicUsize);

impl<'a> Waiting<'a> {
    fn enter(count: &'a AtomicUsize) -> Self {
        count.fetch_add(1, Ordering::Relaxed);
        Self(count)
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}
