//! What is written and not durable yet: how much of it there may be, who waits for it, and whether anything can still be written.
//!
//! After an input/output error nobody knows what the disk has, and the system reports it once per descriptor. So the store is
//! broken for writing from then on: every waiting and later call gets the error, nothing more is recorded, and what was recorded
//! before stays. Writing works again with a new descriptor, that is once every handle of this store was dropped and it is opened
//! anew.

#[cfg(test)]
mod tests;

use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::error::{Result, StorageError};
use crate::mutex::{Condvar, Mutex};

/// A pass begins when this many bytes are not durable (64 MiB) ...
const PASS_BYTES: u64 = 64 << 20;

/// ... or this many (8 MiB) where somebody will soon wait for the last of them ...
const LAST_PASS_BYTES: u64 = 8 << 20;

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
    /// Since the last pass began, a write left less than a pass's bytes of its blob to come.
    ending: bool,
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

    fn has_enough(&self) -> bool {
        self.unsynced >= if self.ending { LAST_PASS_BYTES } else { PASS_BYTES }
    }

    fn due(&self) -> bool {
        self.requested > self.completed
            || self.has_enough()
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

    /// A write of `length` admitted bytes has failed.
    pub(crate) fn failed(&self, length: u64) {
        self.state.lock().flying -= length;
        self.done.notify_all();
    }

    /// A write of `length` admitted bytes has ended, and they are on their way to the disk; of its blob so many are `left` to come.
    pub(crate) fn landed(&self, length: u64, left: u64) {
        let mut state = self.state.lock();
        state.flying -= length;
        state.unsynced += length;
        state.ending |= left < PASS_BYTES;
        let first = state.since.is_none();
        state.since.get_or_insert_with(Instant::now);
        if first || state.has_enough() {
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
                state.ending = false;
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
        StorageError::NoSpace { path, needed, reserve, available } => StorageError::NoSpace {
            path: path.clone(),
            needed: *needed,
            reserve: *reserve,
            available: *available,
        },
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
