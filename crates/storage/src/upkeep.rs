//! The background thread of a store that has readers: it moves their pins and records when blobs were used.

use std::collections::HashMap;
use std::sync::{Arc, Weak};
use std::thread;
use std::time::{Duration, Instant};

use crate::digest::BlobName;
use crate::error::{Result, StorageError};
use crate::key::Key;
use crate::lease::now_ms;
use crate::mutex::{Condvar, Mutex};
use crate::record::BlobRecord;
use crate::store::Store;
use crate::table::Blobs;

/// How often pins are moved to the newest state of C.
const REFRESH_INTERVAL: Duration = Duration::from_secs(60);

/// A last use is recorded again only when the recorded one is older.
const USE_INTERVAL_MS: u64 = 60_000;

/// What the thread is waiting for.
#[derive(Default)]
pub(crate) struct Signal {
    state: Mutex<State>,
    changed: Condvar,
    /// Held while uses are recorded, so that [`Store::record_uses`] returns after all that were noted before.
    recording: Mutex<()>,
}

#[derive(Default)]
struct State {
    running: bool,
    stopped: bool,
    /// Blobs used and when, milliseconds since 1970.
    uses: HashMap<BlobName, u64>,
}

impl Signal {
    /// Ends the thread.
    pub(crate) fn stop(&self) {
        self.state.lock().stopped = true;
        self.changed.notify_all();
    }

    /// Waits until a use is to be recorded, the store closes or `deadline` passes; false when the store closes.
    fn wait(&self, deadline: Instant) -> bool {
        let mut state = self.state.lock();
        while !state.stopped && state.uses.is_empty() && Instant::now() < deadline {
            state = self.changed.wait_until(state, deadline);
        }
        !state.stopped
    }
}

impl Store {
    /// Notes that a blob was opened, for the thread to record. Starts the thread with the first reader.
    pub(crate) fn note_use(self: &Arc<Self>, name: &BlobName, record: &BlobRecord) -> Result<()> {
        let signal = &self.readers.signal;
        let mut state = signal.state.lock();
        if !state.running {
            start(self)?;
            state.running = true;
        }
        let now = now_ms();
        // A time to come is one of a clock that has been set back since.
        if !self.is_read_only() && now.abs_diff(record.last_use_ms) >= USE_INTERVAL_MS {
            state.uses.insert(*name, now);
            signal.changed.notify_all();
        }
        Ok(())
    }

    /// Notes that these blobs are used, as opening each does.
    ///
    /// # Errors
    /// [`StorageError::Io`] when the store's thread cannot be started; [`StorageError::Database`].
    pub fn note_uses(self: &Arc<Self>, names: &[BlobName]) -> Result<()> {
        self.read(|txn| {
            for name in names {
                // A damaged record is for whoever needs the bytes.
                if let Ok(Some(record)) = txn.get::<Blobs>(&Key::blob(name)) {
                    self.note_use(name, &record)?;
                }
            }
            Ok(())
        })
    }

    /// Records the last uses noted so far in one transaction: when it returns, they are in their blobs' records. The background
    /// thread does it right after a blob was opened.
    ///
    /// # Errors
    /// [`StorageError::Database`] when M cannot be written.
    pub fn record_uses(&self) -> Result<()> {
        self.check_process()?;
        let signal = &self.readers.signal;
        let _recording = signal.recording.lock();
        let uses = std::mem::take(&mut signal.state.lock().uses);
        if uses.is_empty() {
            return Ok(());
        }
        self.write(|t| {
            for (name, used) in &uses {
                let key = Key::blob(name);
                // What a damaged record says must not keep the others from being recorded.
                if let Ok(Some(record)) = t.get::<Blobs>(&key) {
                    let known = Some(record.last_use_ms).filter(|known| *known <= now_ms());
                    let last_use_ms = known.map_or(*used, |known| known.max(*used));
                    t.put::<Blobs>(&key, &BlobRecord { last_use_ms, ..record })?;
                }
            }
            Ok(())
        })
    }

    /// Moves the pins of all live readers to the newest state of C, so that the space of what was deleted since can be reused.
    /// A reader whose blob was deleted keeps its pin. The background thread does it once a minute. Returns how many pins moved.
    ///
    /// # Errors
    /// [`StorageError::Database`] when no snapshot can be taken, [`StorageError::Corrupt`] when a chunk of a live reader is
    /// damaged; the other readers' pins are moved nevertheless.
    pub fn refresh_pins(&self) -> Result<usize> {
        self.check_process()?;
        let readers = self.readers.all();
        let mut chunks = readers.iter().filter_map(|reader| reader.chunks()).peekable();
        if chunks.peek().is_none() {
            return Ok(0);
        }
        let mut fresh = Arc::new(self.snapshot()?);
        let (mut moved, mut failure) = (0, None);
        for chunks in chunks {
            match chunks.refresh(&fresh) {
                Ok(changed) => moved += usize::from(changed),
                Err(error) => {
                    failure = Some(error);
                    // libmdbx refuses everything in a transaction that has met a damaged page.
                    fresh = Arc::new(self.snapshot()?);
                }
            }
        }
        failure.map_or(Ok(moved), Err)
    }
}

fn start(store: &Arc<Store>) -> Result<()> {
    let (weak, signal) = (Arc::downgrade(store), Arc::clone(&store.readers.signal));
    thread::Builder::new()
        .name("model-cache-pins".to_owned())
        .spawn(move || run(&weak, &signal))
        .map(drop)
        .map_err(|error| StorageError::io("start a thread for the store", store.root(), error))
}

/// What fails here is tried again at the next turn: a pin that stays and a use that is not recorded cost space, not bytes.
fn run(store: &Weak<Store>, signal: &Signal) {
    let mut due = Instant::now() + REFRESH_INTERVAL;
    while signal.wait(due) {
        let Some(store) = store.upgrade() else { return };
        drop(store.record_uses());
        if Instant::now() >= due {
            drop(store.refresh_pins());
            due = Instant::now() + REFRESH_INTERVAL;
        }
    }
}
