//! The memory that received bytes are gathered in, used in turn by all transfers of a client.
//!
//! Each connection has one buffer that fills and one that is being written; the sink may hold a few for longer. So there are
//! about two for each connection that the client may have, whatever the number of files and callers.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use bytes::Bytes;

/// Size of a buffer: 1 MiB. Of one that never fills only what is used takes memory.
pub(crate) const BUFFER_SIZE: usize = 1 << 20;

/// The buffers nobody uses just now. They go with the last transfer.
pub(crate) struct Buffers {
    free: Mutex<Vec<Vec<u8>>>,
    most_free: usize,
}

impl Buffers {
    /// Keeps so many for the next user.
    pub(crate) fn new(most_free: usize) -> Self {
        Self { free: Mutex::default(), most_free }
    }

    /// An empty buffer.
    pub(crate) fn take(&self) -> Vec<u8> {
        self.free().pop().unwrap_or_else(|| Vec::with_capacity(BUFFER_SIZE))
    }

    /// The bytes of a buffer, which is used again when nobody reads them any more.
    pub(crate) fn share(self: &Arc<Self>, bytes: Vec<u8>) -> Bytes {
        Bytes::from_owner(Filled { bytes, buffers: Arc::downgrade(self) })
    }

    fn give_back(&self, mut buffer: Vec<u8>) {
        buffer.clear();
        let mut free = self.free();
        if free.len() < self.most_free {
            free.push(buffer);
        }
    }

    fn free(&self) -> MutexGuard<'_, Vec<Vec<u8>>> {
        self.free.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

struct Filled {
    bytes: Vec<u8>,
    buffers: Weak<Buffers>,
}

impl AsRef<[u8]> for Filled {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}

impl Drop for Filled {
    fn drop(&mut self) {
        if let Some(buffers) = self.buffers.upgrade() {
            buffers.give_back(std::mem::take(&mut self.bytes));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_buffer_is_used_again_when_nobody_reads_it_any_more() {
        let buffers = Arc::new(Buffers::new(2));
        let mut first = buffers.take();
        first.extend_from_slice(b"bytes");
        let place = first.as_ptr();
        let shared = buffers.share(first);
        let clone = shared.clone();
        drop(shared);
        let other = buffers.take();
        assert_ne!(other.as_ptr(), place, "it is read");
        drop(clone);
        let again = buffers.take();
        assert_eq!((again.as_ptr(), again.len()), (place, 0));
    }

    #[test]
    fn no_more_are_kept_than_asked_for() {
        let buffers = Arc::new(Buffers::new(2));
        let many: Vec<_> = (0..5).map(|_| buffers.share(buffers.take())).collect();
        drop(many);
        assert_eq!(buffers.free().len(), 2);
        let late = buffers.share(buffers.take());
        drop(buffers);
        drop(late);
    }
}
