//! Makes written bytes durable and records them: one thread per store, for all its writers.
//!
//! A pass takes the writers' segments, syncs C's data file, and then records all of them in one transaction of M. It never
//! commits in C: a durable commit flushes everything pending under C's write lock.

use std::path::PathBuf;
use std::sync::{Arc, Weak};
use std::thread::{Builder, JoinHandle};
use std::time::{Duration, Instant};

use crate::backlog::{Backlog, SYNC};
use crate::environment::{ChunkEnvironment, ManifestEnvironment};
use crate::error::{Result, StorageError};
use crate::key::Key;
use crate::ledger::Ledger;
use crate::mutex::Mutex;
use crate::placement::Placement;
use crate::platform;
use crate::process::Process;
use crate::snapshot::Snapshot;
use crate::table::Blobs;

/// Writers pin the newest state of C again this often.
const PIN_DELAY: Duration = Duration::from_secs(60);

/// What the sync thread knows of a writer. It owns neither lease nor store.
struct Member {
    ledger: Weak<Ledger>,
    placement: Weak<Placement>,
}

struct Shared {
    chunks: Arc<ChunkEnvironment>,
    manifests: Arc<ManifestEnvironment>,
    backlog: Backlog,
    members: Mutex<Vec<Member>>,
}

/// The sync thread and what it shares with the writers.
pub(crate) struct Syncer {
    root: PathBuf,
    shared: Arc<Shared>,
    thread: Mutex<Option<JoinHandle<()>>>,
    /// A fork child has the handle but not the thread.
    process: Process,
}

impl Syncer {
    /// For one store; the thread starts with the first writer.
    pub(crate) fn new(
        root: PathBuf,
        chunks: Arc<ChunkEnvironment>,
        manifests: Arc<ManifestEnvironment>,
    ) -> Self {
        let shared = Shared { chunks, manifests, backlog: Backlog::default(), members: Mutex::default() };
        Self { root, shared: Arc::new(shared), thread: Mutex::new(None), process: Process::current() }
    }

    /// Admits the writes of all writers.
    pub(crate) fn backlog(&self) -> &Backlog {
        &self.shared.backlog
    }

    /// Records the segments of `ledger` from now on.
    pub(crate) fn register(&self, ledger: &Arc<Ledger>, placement: &Arc<Placement>) -> Result<()> {
        self.start()?;
        let mut members = self.shared.members.lock();
        members.retain(|member| member.ledger.strong_count() > 0);
        members.push(Member { ledger: Arc::downgrade(ledger), placement: Arc::downgrade(placement) });
        Ok(())
    }

    /// Records nothing of `ledger` any more when this returns, not even by a pass that has begun.
    pub(crate) fn retire(&self, ledger: &Arc<Ledger>) {
        let is_other = |member: &Member| !std::ptr::eq(member.ledger.as_ptr(), Arc::as_ptr(ledger));
        self.shared.members.lock().retain(is_other);
        self.backlog().settle();
    }

    fn start(&self) -> Result<()> {
        let mut thread = self.thread.lock();
        if thread.is_none() {
            let shared = Arc::clone(&self.shared);
            let started = Builder::new().name("store-sync".to_owned()).spawn(move || shared.run());
            *thread = Some(started.map_err(|source| StorageError::Io {
                action: "start the sync thread",
                path: self.root.clone(),
                source,
            })?);
        }
        Ok(())
    }

    /// Returns once everything that registered ledgers had before is durable and recorded.
    pub(crate) fn checkpoint(&self) -> Result<()> {
        self.backlog().checkpoint()
    }

    /// Syncs C's data file on this thread: before a transaction of C, so that its commit has little to flush.
    pub(crate) fn flush_chunks(&self) -> Result<()> {
        self.backlog().check()?;
        self.backlog().guard(self.shared.sync_chunks())
    }
}

impl Drop for Syncer {
    fn drop(&mut self) {
        if !self.process.is_current() {
            return;
        }
        self.backlog().close();
        if let Some(thread) = self.thread.get_mut().take() {
            thread.join().ok();
        }
    }
}

impl Shared {
    fn run(&self) {
        let mut pinned = Instant::now();
        while let Some(pass) = self.backlog.next_pass() {
            self.backlog.finish(&pass, self.record());
            if pinned.elapsed() >= PIN_DELAY {
                pinned = Instant::now();
                // An old pin costs disk space, not correctness: it is tried again a minute later.
                self.refresh_pins().ok();
            }
        }
    }

    fn record(&self) -> Result<()> {
        let ledgers: Vec<_> =
            self.members.lock().iter().filter_map(|member| member.ledger.upgrade()).collect();
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

    /// Pins the newest state of C for every writer; for readers see [`Store::refresh_pins`](crate::Store::refresh_pins).
    fn refresh_pins(&self) -> Result<()> {
        let placements: Vec<_> = self.members.lock().iter().filter_map(|m| m.placement.upgrade()).collect();
        let newest = Arc::new(Snapshot::begin(Arc::clone(&self.chunks))?);
        placements.iter().try_for_each(|placement| placement.refresh(&newest).map(|_| ()))
    }

    fn sync_chunks(&self) -> Result<()> {
        let file = self.chunks.data_file()?;
        // Not classified by kind: whatever the reason, what was written may be lost.
        platform::sync_data(file).map_err(|source| StorageError::Io {
            action: SYNC,
            path: self.chunks.data_path(),
            source,
        })
    }
}

#[cfg(test)]
mod tests {
    use std::io;
    use std::sync::mpsc::{RecvTimeoutError, channel};
    use std::thread;

    use super::*;
    use crate::digest::{BlobName, Digest};
    use crate::registry::{StorageRegistry, StoreOptions};

    #[test]
    fn a_writer_keeps_its_lease_until_the_pass_that_records_it_has_ended() {
        let folder = tempfile::tempdir().unwrap();
        let store = StorageRegistry::new(folder.path()).open("s".as_ref(), StoreOptions::default()).unwrap();
        let name = BlobName([1; 32]);
        let writer =
            store.writer(store.try_lease(&name).unwrap().unwrap(), 100_000, Digest::Sha256(name.0)).unwrap();
        writer.write(0, &vec![1; 70_000]).unwrap();
        let (entered, entry) = channel();
        let (release, released) = channel::<()>();
        let (dropped, drops) = channel();
        thread::scope(|scope| {
            let store = &store;
            scope.spawn(move || {
                store.write(|_| {
                    entered.send(()).unwrap();
                    released.recv().unwrap();
                    Ok(())
                })
            });
            entry.recv().unwrap();
            let other = writer.clone();
            let checkpoint = scope.spawn(move || other.checkpoint());
            while !store.syncer.backlog().is_passing() {
                thread::yield_now();
            }
            let lost = io::Error::from_raw_os_error(5);
            let lost = StorageError::Io { action: SYNC, path: PathBuf::new(), source: lost };
            assert!(store.syncer.backlog().guard::<()>(Err(lost)).is_err());
            assert!(checkpoint.join().unwrap().is_err());
            scope.spawn(move || {
                drop(writer);
                dropped.send(()).unwrap();
            });
            let early = drops.recv_timeout(Duration::from_millis(50));
            release.send(()).unwrap();
            assert_eq!(early, Err(RecvTimeoutError::Timeout));
            drops.recv().unwrap();
        });
        assert_eq!(store.blob(&name).unwrap().unwrap().downloaded, 70_000);
    }
}
