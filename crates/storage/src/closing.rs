//! Waiting until a store is closed: its last handle may be dropped by any thread, and closing takes a moment.

use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, TryRecvError, channel};
use std::time::Duration;

/// Closing flushes and unmaps; longer than this means that something keeps an environment open.
const PATIENCE: Duration = Duration::from_secs(10);

/// Held by each environment of a store and dropped after it is closed.
#[derive(Clone)]
pub(crate) struct OpenToken(#[expect(dead_code, reason = "only its drop matters")] Sender<()>);

/// Tells when all tokens are gone.
pub(crate) struct Closed(Receiver<()>);

/// A token for a store that is opened now, and what tells when it is closed.
pub(crate) fn open_token() -> (OpenToken, Closed) {
    let (sender, receiver) = channel();
    (OpenToken(sender), Closed(receiver))
}

impl Closed {
    /// Whether no environment is open any more.
    pub(crate) fn is_closed(&self) -> bool {
        self.0.try_recv() == Err(TryRecvError::Disconnected)
    }

    /// Waits until no environment is open any more; false when that takes too long.
    pub(crate) fn wait(&self) -> bool {
        self.0.recv_timeout(PATIENCE) == Err(RecvTimeoutError::Disconnected)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_store_is_closed_when_the_last_token_is_dropped_by_whatever_thread() {
        let (token, closed) = open_token();
        let other = token.clone();
        drop(token);
        assert!(!closed.is_closed());
        let thread = std::thread::spawn(move || drop(other));
        assert!(closed.wait() && closed.is_closed());
        thread.join().unwrap();
    }
}
