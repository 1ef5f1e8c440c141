//! What is written and not durable yet: how much of it there may be, who waits for it, and whether anything can still be written.
//!
//! After an input/output error nobody knows what the disk has, and the system reports it once per descriptor. So the store is
//! broken for writing from then on: every waiting and later call gets the error, nothing more is recorded, and what was recorded
//! before stays. Writing works again with a new descriptor, that is once every handle of this store was dropped and it is opened
//! anew.

use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::error::{Result, StorageError};
use crate::mutex::{Condvar, Mutex};

/// A pass begins when this many bytes are not durable (64 MiB) ...
const PASS_BYTES: u64 = 64 << 20;

/// ... or this long after the first of them was written.
const PASS_DELAY: Duration = Duration::from_secs(2);

/// Most bytes not durable at once (128 MiB): writers wait beyond.
const UNSYNCED_LIMIT: u64 = 128 << 20;

/// The one action whose input/output error means that written bytes may be lost.
pub(crate) const SYNC: &str = "make written bytes durable";

#[derive(Default)]
struct State {
    /// Bytes of writes that have begun and not ended.
    flying: u64,
    /// Bytes written since the last pass began, and when the first of them was.
    unsynced: u64,
    since: Option<Instant>,
    /// Passes are numbered by the requests they serve.
    requested: u64,
    completed: u64,
    /// A pass has begun and not ended.
    passing: bool,
    /// Why the last pass failed.
    failure: Option<Arc<StorageError>>,
    /// Why nothing can be written any more.
    broken: Option<Arc<StorageError>>,
    closing: bool,
}

impl State {
    fn check(&self) -> Result<()> {
        self.broken.as_ref().map_or(Ok(()), |error| Err(repeat(error)))
    }

    fn due(&self) -> bool {
        self.requested > self.completed
            || self.unsynced >= PASS_BYTES
            || self.since.is_some_and(|since| since.elapsed() >= PASS_DELAY)
    }
}

/// What one pass serves.
#[derive(Debug)]
pub(crate) struct Pass {
    ticket: u64,
    bytes: u64,
}

/// The backlog of one store.
#[derive(Default)]
pub(crate) struct Backlog {
    state: Mutex<State>,
    /// For the sync thread: there is work.
    work: Condvar,
    /// For everybody else: a pass has ended.
    done: Condvar,
}

impl Backlog {
    /// Fails when nothing can be written any more.
    pub(crate) fn check(&self) -> Result<()> {
        self.state.lock().check()
    }

    /// Waits until `length` more bytes may be written, and counts them as on their way.
    pub(crate) fn admit(&self, length: u64) -> Result<()> {
        let mut state = self.state.lock();
        loop {
            state.check()?;
            let pending = state.flying + state.unsynced;
            if pending == 0 || pending + length <= UNSYNCED_LIMIT {
                state.flying += length;
                return Ok(());
            }
            state = self.done.wait(state);
        }
    }

    /// A write of `length` admitted bytes has ended; `written`: they are on their way to the disk.
    pub(crate) fn landed(&self, length: u64, written: bool) {
        let mut state = self.state.lock();
        state.flying -= length;
        if !written {
            self.done.notify_all();
            return;
        }
        state.unsynced += length;
        let first = state.since.is_none();
        state.since.get_or_insert_with(Instant::now);
        if first || state.unsynced >= PASS_BYTES {
            self.work.notify_one();
        }
    }

    /// Asks for a pass and waits for one that began afterwards.
    pub(crate) fn checkpoint(&self) -> Result<()> {
        let mut state = self.state.lock();
        state.check()?;
        state.requested += 1;
        let ticket = state.requested;
        self.work.notify_one();
        while state.completed < ticket {
            state.check()?;
            state = self.done.wait(state);
        }
        state.check()?;
        state.failure.as_ref().map_or(Ok(()), |error| Err(repeat(error)))
    }

    #[cfg(test)]
    pub(crate) fn is_passing(&self) -> bool {
        self.state.lock().passing
    }

    /// Waits for the end of the pass that is under way, whatever comes of it.
    pub(crate) fn settle(&self) {
        let mut state = self.state.lock();
        while state.passing {
            state = self.done.wait(state);
        }
    }

    /// For the sync thread: waits until a pass is due; `None` when the store closes.
    pub(crate) fn next_pass(&self) -> Option<Pass> {
        let mut state = self.state.lock();
        while !state.closing {
            if state.broken.is_none() && state.due() {
                state.since = None;
                state.passing = true;
                return Some(Pass { ticket: state.requested, bytes: state.unsynced });
            }
            state = match state.since {
                Some(since) if state.broken.is_none() => self.work.wait_until(state, since + PASS_DELAY),
                _ => self.work.wait(state),
            };
        }
        None
    }

    /// For the sync thread: the pass has ended.
    pub(crate) fn finish(&self, pass: &Pass, outcome: Result<()>) {
        let outcome = outcome.map_err(Arc::new);
        let mut state = self.state.lock();
        state.passing = false;
        state.unsynced -= pass.bytes;
        state.completed = pass.ticket;
        state.failure = outcome.err();
        if let Some(error) = state.failure.clone() {
            if is_fatal(&error) {
                state.broken.get_or_insert(error);
            }
            // What could not be recorded is tried again after the usual delay.
            state.since.get_or_insert_with(Instant::now);
        }
        self.done.notify_all();
    }

    /// Passes a result of another change of the files on; after an input/output error nothing more is written.
    pub(crate) fn guard<T>(&self, result: Result<T>) -> Result<T> {
        result.map_err(|error| {
            if !is_fatal(&error) {
                return error;
            }
            let error = Arc::new(error);
            self.state.lock().broken.get_or_insert_with(|| Arc::clone(&error));
            self.done.notify_all();
            repeat(&error)
        })
    }

    /// The store closes: ends the sync thread.
    pub(crate) fn close(&self) {
        self.state.lock().closing = true;
        self.work.notify_one();
    }
}

/// After these errors nobody knows what is on the disk.
fn is_fatal(error: &StorageError) -> bool {
    matches!(
        error,
        StorageError::Io { action: SYNC, .. } | StorageError::Database { source: libmdbx::Error::Io, .. }
    )
}

/// The same error for another caller.
fn repeat(error: &Arc<StorageError>) -> StorageError {
    match &**error {
        StorageError::NoSpace { path, needed, available } => {
            StorageError::NoSpace { path: path.clone(), needed: *needed, available: *available }
        }
        StorageError::Corrupt { what, reason } => StorageError::corrupt(what.clone(), reason.clone()),
        StorageError::Io { action, path, source } => StorageError::Io {
            action,
            path: path.clone(),
            source: io::Error::new(source.kind(), Arc::clone(error)),
        },
        StorageError::Database { action, path, .. } => {
            StorageError::Io { action, path: path.clone(), source: io::Error::other(Arc::clone(error)) }
        }
        other => StorageError::Io {
            action: "record written bytes",
            path: PathBuf::new(),
            source: io::Error::other(other.to_string()),
        },
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::{RecvTimeoutError, TryRecvError, channel};
    use std::thread;

    use super::*;

    fn no_space() -> StorageError {
        StorageError::NoSpace { path: "/s".into(), needed: 5, available: 3 }
    }

    fn lost() -> StorageError {
        StorageError::Io { action: SYNC, path: "/s".into(), source: io::Error::from_raw_os_error(5) }
    }

    #[test]
    fn a_writer_beyond_the_limit_waits_for_the_end_of_a_pass() {
        let backlog = Backlog::default();
        backlog.admit(UNSYNCED_LIMIT).unwrap();
        backlog.landed(UNSYNCED_LIMIT, true);
        let pass = backlog.next_pass().unwrap();
        let (sender, receiver) = channel();
        thread::scope(|scope| {
            scope.spawn(|| sender.send(backlog.admit(1).is_ok()).unwrap());
            assert_eq!(receiver.try_recv(), Err(TryRecvError::Empty));
            backlog.finish(&pass, Ok(()));
            assert!(receiver.recv().unwrap());
        });
        let state = backlog.state.lock();
        assert_eq!((state.unsynced, state.flying), (0, 1));
    }

    #[test]
    fn a_write_larger_than_the_limit_goes_alone() {
        let backlog = Backlog::default();
        backlog.admit(2 * UNSYNCED_LIMIT).unwrap();
        backlog.landed(2 * UNSYNCED_LIMIT, false);
        backlog.admit(UNSYNCED_LIMIT).unwrap();
    }

    #[test]
    fn few_bytes_are_recorded_without_being_asked_for() {
        let backlog = Backlog::default();
        backlog.admit(1).unwrap();
        backlog.landed(1, true);
        assert_eq!(backlog.next_pass().unwrap().bytes, 1);
    }

    #[test]
    fn a_failed_pass_is_told_to_who_waits_and_may_succeed_later() {
        let backlog = Backlog::default();
        for (outcome, expected) in [(Err(no_space()), false), (Ok(()), true)] {
            thread::scope(|scope| {
                let waiting = scope.spawn(|| backlog.checkpoint());
                backlog.finish(&backlog.next_pass().unwrap(), outcome);
                let answer = waiting.join().unwrap();
                assert_eq!(answer.is_ok(), expected);
                if let Err(error) = answer {
                    assert!(
                        matches!(error, StorageError::NoSpace { needed: 5, available: 3, .. }),
                        "{error}"
                    );
                }
            });
        }
    }

    #[test]
    fn damage_is_told_as_damage_to_who_waits() {
        let damage = Arc::new(StorageError::corrupt("the database", "a page is damaged"));
        assert!(matches!(repeat(&damage), StorageError::Corrupt { .. }));
    }

    #[test]
    fn after_a_failed_sync_everybody_waiting_and_later_gets_the_error() {
        let backlog = Backlog::default();
        backlog.admit(UNSYNCED_LIMIT).unwrap();
        backlog.landed(UNSYNCED_LIMIT, true);
        let pass = backlog.next_pass().unwrap();
        thread::scope(|scope| {
            let writer = scope.spawn(|| backlog.admit(1));
            let waiting = scope.spawn(|| backlog.checkpoint());
            backlog.finish(&pass, Err(lost()));
            for outcome in
                [writer.join().unwrap(), waiting.join().unwrap(), backlog.check(), backlog.checkpoint()]
            {
                assert!(matches!(outcome, Err(StorageError::Io { action: SYNC, .. })), "{outcome:?}");
            }
        });
        backlog.close();
        assert!(backlog.next_pass().is_none());
    }

    #[test]
    fn the_pass_under_way_when_the_store_breaks_is_waited_for() {
        let backlog = Backlog::default();
        backlog.settle();
        backlog.admit(1).unwrap();
        backlog.landed(1, true);
        let pass = backlog.next_pass().unwrap();
        assert!(backlog.guard::<()>(Err(lost())).is_err());
        assert!(backlog.checkpoint().is_err());
        let (sender, receiver) = channel();
        thread::scope(|scope| {
            scope.spawn(|| {
                backlog.settle();
                sender.send(()).unwrap();
            });
            let early = receiver.recv_timeout(Duration::from_millis(50));
            backlog.finish(&pass, Ok(()));
            assert_eq!(early, Err(RecvTimeoutError::Timeout));
            receiver.recv().unwrap();
        });
    }

    #[test]
    fn an_error_elsewhere_breaks_the_store_only_when_bytes_may_be_lost() {
        let backlog = Backlog::default();
        assert!(backlog.guard::<()>(Err(no_space())).is_err());
        backlog.check().unwrap();
        let io = libmdbx::Error::Io;
        let failed = StorageError::Database { action: "commit", path: "/s".into(), source: io };
        assert!(backlog.guard::<()>(Err(failed)).is_err());
        assert!(backlog.check().is_err());
    }
}
