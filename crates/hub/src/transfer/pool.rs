//! The connections of a client, shared by its transfers.
//!
//! Each transfer has a right to an equal part of them, and to one at least: where there are more transfers than connections they
//! take turns. What others do not want is for anybody.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_util::sync::CancellationToken;

use super::buffers::Buffers;
use crate::error::HubError;

/// A permit is one connection that carries file bytes.
pub(crate) struct Pool {
    permits: Arc<Semaphore>,
    size: usize,
    transfers: AtomicUsize,
    /// Transfers without any connection.
    waiting: AtomicUsize,
    /// Connections that transfers lack of their equal part, those without any apart.
    lacking: AtomicUsize,
    buffers: Mutex<Weak<Buffers>>,
}

impl Pool {
    pub(crate) fn new(size: usize) -> Self {
        Self {
            permits: Arc::new(Semaphore::new(size)),
            size,
            transfers: AtomicUsize::new(0),
            waiting: AtomicUsize::new(0),
            lacking: AtomicUsize::new(0),
            buffers: Mutex::default(),
        }
    }

    pub(crate) fn size(&self) -> usize {
        self.size
    }

    /// The buffers of all transfers there are.
    pub(crate) fn buffers(&self) -> Arc<Buffers> {
        let mut known = self.buffers.lock().unwrap_or_else(PoisonError::into_inner);
        known.upgrade().unwrap_or_else(|| {
            let buffers = Arc::new(Buffers::new(2 * self.size));
            *known = Arc::downgrade(&buffers);
            buffers
        })
    }

    /// One more transfer.
    pub(crate) fn join(self: &Arc<Self>) -> Share {
        self.transfers.fetch_add(1, Ordering::Relaxed);
        Share { pool: Arc::clone(self), lacking: 0 }
    }

    /// Whether there are more transfers than connections.
    pub(crate) fn takes_turns(&self) -> bool {
        self.transfers.load(Ordering::Relaxed) > self.size
    }

    fn fair(&self) -> usize {
        self.size.checked_div(self.transfers.load(Ordering::Relaxed)).unwrap_or(self.size).max(1)
    }
}

/// What one transfer has of the pool.
pub(crate) struct Share {
    pool: Arc<Pool>,
    lacking: usize,
}

impl Share {
    /// The first connection: waits its turn.
    pub(crate) async fn first(
        &mut self,
        cancel: &CancellationToken,
    ) -> Result<OwnedSemaphorePermit, HubError> {
        self.lack(0);
        let _waiting = Waiting::enter(&self.pool.waiting);
        let permit = cancel.run_until_cancelled(Arc::clone(&self.pool.permits).acquire_owned()).await;
        // The semaphore is never closed, so the inner error cannot come.
        permit.and_then(Result::ok).ok_or(HubError::Cancelled)
    }

    /// A further connection, when one is free right now.
    pub(crate) fn further(&self) -> Option<OwnedSemaphorePermit> {
        Arc::clone(&self.pool.permits).try_acquire_owned().ok()
    }

    /// How many of its `has` connections the transfer, which `wants` so many, should give to others: what they lack, down to
    /// its equal part; and its last one where transfers take turns.
    pub(crate) fn surplus(&mut self, has: usize, wants: usize) -> usize {
        let fair = self.pool.fair();
        self.lack(wants.min(fair).saturating_sub(has));
        let waiting = self.pool.waiting.load(Ordering::Relaxed);
        let others = waiting + self.pool.lacking.load(Ordering::Relaxed).saturating_sub(self.lacking);
        let above = has.saturating_sub(fair).min(others);
        let turn = usize::from(waiting > 0 && self.pool.takes_turns());
        above.max(turn.min(has))
    }

    fn lack(&mut self, count: usize) {
        self.pool.lacking.fetch_add(count, Ordering::Relaxed);
        self.pool.lacking.fetch_sub(std::mem::replace(&mut self.lacking, count), Ordering::Relaxed);
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        self.lack(0);
        self.pool.transfers.fetch_sub(1, Ordering::Relaxed);
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

#[cfg(test)]
mod tests {
    use super::*;

    /// Transfers that want and have so many connections: what each should give back.
    fn surplus<const N: usize>(size: usize, transfers: [(usize, usize); N]) -> [usize; N] {
        let pool = Arc::new(Pool::new(size));
        let mut shares = transfers.map(|transfer| (pool.join(), transfer));
        let _waiting: Vec<_> =
            transfers.iter().filter(|(_, has)| *has == 0).map(|_| Waiting::enter(&pool.waiting)).collect();
        for (share, (wants, has)) in &mut shares {
            share.surplus(*has, if *has == 0 { 0 } else { *wants });
        }
        shares.each_mut().map(|(share, (wants, has))| share.surplus(*has, *wants))
    }

    #[test]
    fn what_nobody_else_wants_may_be_kept() {
        assert_eq!(surplus(8, [(8, 8)]), [0]);
        assert_eq!(surplus(8, [(8, 7), (1, 1)]), [0, 0]);
    }

    #[test]
    fn those_with_more_than_their_part_give_what_others_lack() {
        assert_eq!(surplus(8, [(8, 8), (1, 0)]), [1, 0]);
        assert_eq!(surplus(8, [(8, 7), (8, 1)]), [3, 0]);
        assert_eq!(surplus(8, [(8, 7), (2, 1)]), [1, 0]);
        assert_eq!(surplus(8, [(8, 6), (8, 2), (1, 0)]), [1, 0, 0]);
        assert_eq!(surplus(8, [(8, 2), (8, 2), (8, 2), (8, 2)]), [0; 4]);
    }

    #[test]
    fn more_transfers_than_connections_take_turns() {
        assert_eq!(surplus(2, [(8, 1), (8, 1), (8, 0)]), [1, 1, 0]);
        assert_eq!(surplus(1, [(8, 1), (8, 0)]), [1, 0]);
    }

    #[test]
    fn a_transfer_that_ends_lacks_nothing() {
        let pool = Arc::new(Pool::new(8));
        let (mut first, mut second) = (pool.join(), pool.join());
        assert_eq!(second.surplus(1, 8), 0);
        assert_eq!(first.surplus(7, 8), 3);
        drop(second);
        assert_eq!(first.surplus(7, 8), 0);
    }

    #[tokio::test]
    async fn the_first_connection_is_waited_for_and_further_ones_are_not() {
        let pool = Arc::new(Pool::new(1));
        let (mut one, other) = (pool.join(), pool.join());
        let cancel = CancellationToken::new();
        let permit = one.first(&cancel).await.unwrap();
        assert!(other.further().is_none());
        drop(permit);
        assert!(other.further().is_some());
        cancel.cancel();
    }
}
