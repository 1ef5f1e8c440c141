//! Makes written bytes durable and records them: one thread per store, for all its writers.
//!
//! A pass takes the writers' segments, syncs C's data file, and then records all of them in one transaction of M. It never
//! commits in C: a durable commit flushes everything pending under C's write lock.
//!
//! After an input/output error nobody knows what the disk has, and the system reports it once per descriptor. So the store is
//! broken for writing from then on: every waiting and later call gets the error, nothing more is recorded, and what was recorded
//! before stays. Writing works again with a new descriptor, that is once every handle of this store was dropped and it is opened
//! anew.

use std::io;
use std::path::PathBuf;
use std::sync::{Arc, Weak};
use std::thread::{Builder, JoinHandle};
use std::time::{Duration, Instant};

use parking_lot::{Condvar, Mutex, MutexGuard};

use crate::environment::{ChunkEnvironment, ManifestEnvironment};
use crate::error::{Result, StorageError};
use crate::key::Key;
use crate::ledger::Ledger;
use crate::placement::Placement;
use crate::platform;
use crate::snapshot::Snapshot;
use crate::table::Blobs;

/// A pass begins when this many bytes are not durable (64 MiB) ...
const PASS_BYTES: u64 = 64 << 20;

/// ... or this long after the first of them was written.
const PASS_DELAY: Duration = Duration::from_secs(2);

/// Most bytes not durable at once (128 MiB): writers wait beyond.
const UNSYNCED_LIMIT: u64 = 128 << 20;

/// A writer pins the newest state of C again this often.
const PIN_DELAY: Duration = Duration::from_secs(60);

/// The one action whose input/output error means that written bytes may be lost.
const SYNC: &str = "make written bytes durable";

/// What the sync thread knows of a writer. It owns neither lease nor store.
struct Member {
    ledger: Weak<Ledger>,
    placement: Weak<Placement>,
}

#[derive(Default)]
struct State {
    members: Vec<Member>,
    /// Bytes of writes that have begun and not ended.
    flying: u64,
    /// Bytes written since the last pass began, and when the first of them was.
    unsynced: u64,
    since: Option<Instant>,
    /// Passes are numbered by the requests they serve.
    requested: u64,
    completed: u64,
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

struct Shared {
    root: PathBuf,
    chunks: Arc<ChunkEnvironment>,
    manifests: Arc<ManifestEnvironment>,
    state: Mutex<State>,
    /// For the thread: there is work.
    work: Condvar,
    /// For everybody else: a pass has ended.
    done: Condvar,
}

/// The sync thread and what it shares with the writers.
pub(crate) struct Syncer {
    shared: Arc<Shared>,
    thread: Mutex<Option<JoinHandle<()>>>,
    /// A fork child has the handle but not the thread.
    process: u32,
}

impl Syncer {
    /// For one store; the thread starts with the first writer.
    pub(crate) fn new(
        root: PathBuf,
        chunks: Arc<ChunkEnvironment>,
        manifests: Arc<ManifestEnvironment>,
    ) -> Self {
        let shared = Shared {
            root,
            chunks,
            manifests,
            state: Mutex::default(),
            work: Condvar::new(),
            done: Condvar::new(),
        };
        Self { shared: Arc::new(shared), thread: Mutex::new(None), process: std::process::id() }
    }

    /// Records the segments of `ledger` from now on.
    pub(crate) fn register(&self, ledger: &Arc<Ledger>, placement: &Arc<Placement>) -> Result<()> {
        self.start()?;
        let mut state = self.shared.state.lock();
        state.members.retain(|member| member.ledger.strong_count() > 0);
        state.members.push(Member { ledger: Arc::downgrade(ledger), placement: Arc::downgrade(placement) });
        Ok(())
    }

    fn start(&self) -> Result<()> {
        let mut thread = self.thread.lock();
        if thread.is_none() {
            let shared = Arc::clone(&self.shared);
            let handle = Builder::new().name("store-sync".to_owned()).spawn(move || shared.run());
            *thread = Some(handle.map_err(|source| StorageError::Io {
                action: "start the sync thread",
                path: self.shared.root.clone(),
                source,
            })?);
        }
        Ok(())
    }

    /// Waits until `length` more bytes may be written, and counts them as on their way.
    pub(crate) fn admit(&self, length: u64) -> Result<()> {
        let mut state = self.shared.state.lock();
        loop {
            state.check()?;
            let pending = state.flying + state.unsynced;
            if pending == 0 || pending + length <= UNSYNCED_LIMIT {
                state.flying += length;
                return Ok(());
            }
            self.shared.done.wait(&mut state);
        }
    }

    /// A write of `length` admitted bytes has ended; `written`: they are on their way to the disk.
    pub(crate) fn landed(&self, length: u64, written: bool) {
        let mut state = self.shared.state.lock();
        state.flying -= length;
        if written {
            state.unsynced += length;
            let first = state.since.is_none();
            state.since.get_or_insert_with(Instant::now);
            if first || state.unsynced >= PASS_BYTES {
                self.shared.work.notify_one();
            }
        } else {
            self.shared.done.notify_all();
        }
    }

    /// Returns once everything written before is durable and recorded.
    pub(crate) fn checkpoint(&self) -> Result<()> {
        self.start()?;
        let mut state = self.shared.state.lock();
        state.check()?;
        state.requested += 1;
        let ticket = state.requested;
        self.shared.work.notify_one();
        while state.completed < ticket {
            state.check()?;
            self.shared.done.wait(&mut state);
        }
        state.check()?;
        state.failure.as_ref().map_or(Ok(()), |error| Err(repeat(error)))
    }

    /// Syncs C's data file on this thread: before a transaction of C, so that its commit has little to flush.
    pub(crate) fn flush_chunks(&self) -> Result<()> {
        self.shared.state.lock().check()?;
        self.guard(self.shared.sync_chunks())
    }

    /// Passes a result of C or M on; after an input/output error nothing more is written.
    pub(crate) fn guard<T>(&self, result: Result<T>) -> Result<T> {
        result.map_err(|error| {
            if !is_fatal(&error) {
                return error;
            }
            let error = Arc::new(error);
            self.shared.break_with(&error);
            repeat(&error)
        })
    }
}

impl Drop for Syncer {
    fn drop(&mut self) {
        if self.process != std::process::id() {
            return;
        }
        self.shared.state.lock().closing = true;
        self.shared.work.notify_one();
        if let Some(thread) = self.thread.get_mut().take() {
            thread.join().ok();
        }
    }
}

impl Shared {
    fn run(&self) {
        let mut pinned = Instant::now();
        while let Some(pass) = self.next_pass() {
            let outcome = self.record(&pass.ledgers).map_err(Arc::new);
            self.finish(&pass, outcome);
            if pinned.elapsed() >= PIN_DELAY {
                pinned = Instant::now();
                // An old pin costs disk space, not correctness: it is tried again a minute later.
                self.refresh_pins().ok();
            }
        }
    }

    /// Waits for work; `None` when the store closes.
    fn next_pass(&self) -> Option<Pass> {
        let mut state = self.state.lock();
        while !state.closing {
            if state.broken.is_none() && state.due() {
                state.since = None;
                let ledgers = state.members.iter().filter_map(|member| member.ledger.upgrade()).collect();
                return Some(Pass { ticket: state.requested, bytes: state.unsynced, ledgers });
            }
            self.wait(&mut state);
        }
        None
    }

    fn wait(&self, state: &mut MutexGuard<'_, State>) {
        match state.since {
            Some(since) if state.broken.is_none() => {
                self.work.wait_until(state, since + PASS_DELAY);
            }
            _ => self.work.wait(state),
        }
    }

    fn record(&self, ledgers: &[Arc<Ledger>]) -> Result<()> {
        let unrecorded: Vec<_> = ledgers
            .iter()
            .filter_map(|ledger| ledger.unrecorded().map(|(version, record)| (ledger, version, record)))
            .collect();
        self.sync_chunks()?;
        if unrecorded.is_empty() {
            return Ok(());
        }
        self.manifests.write(|t| {
            unrecorded.iter().try_for_each(|(ledger, _, record)| {
                t.put::<Blobs>(&Key::blob(&ledger.identity().name), record)
            })
        })?;
        for (ledger, version, _) in &unrecorded {
            ledger.set_recorded(*version);
        }
        Ok(())
    }

    fn finish(&self, pass: &Pass, outcome: std::result::Result<(), Arc<StorageError>>) {
        if let Err(error) = &outcome
            && is_fatal(error)
        {
            self.break_with(error);
        }
        let mut state = self.state.lock();
        state.unsynced -= pass.bytes;
        state.completed = pass.ticket;
        state.failure = outcome.err();
        if state.failure.is_some() {
            // What could not be recorded is tried again after the usual delay.
            state.since.get_or_insert_with(Instant::now);
        }
        self.done.notify_all();
    }

    /// Pins the newest state of C for every writer, for readers see [`Store::refresh_pins`](crate::Store::refresh_pins).
    fn refresh_pins(&self) -> Result<()> {
        let placements: Vec<_> =
            self.state.lock().members.iter().filter_map(|m| m.placement.upgrade()).collect();
        let newest = Arc::new(Snapshot::begin(Arc::clone(&self.chunks))?);
        placements.iter().try_for_each(|placement| placement.refresh(&newest).map(|_| ()))
    }

    fn sync_chunks(&self) -> Result<()> {
        let file = self.chunks.environment().data_file();
        let file = file.map_err(|e| StorageError::database("open the data file", self.chunks.path(), e))?;
        // Not classified by kind: whatever the reason, what was written may be lost.
        platform::sync_data(file).map_err(|source| StorageError::Io {
            action: SYNC,
            path: self.chunks.data_path(),
            source,
        })
    }

    fn break_with(&self, error: &Arc<StorageError>) {
        self.state.lock().broken.get_or_insert_with(|| Arc::clone(error));
        self.done.notify_all();
    }
}

struct Pass {
    ticket: u64,
    bytes: u64,
    ledgers: Vec<Arc<Ledger>>,
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
        StorageError::Io { action, path, source } => StorageError::Io {
            action,
            path: path.clone(),
            source: io::Error::new(source.kind(), Arc::clone(error)),
        },
        other => StorageError::Io {
            action: "record written bytes",
            path: PathBuf::new(),
            source: io::Error::other(other.to_string()),
        },
    }
}
