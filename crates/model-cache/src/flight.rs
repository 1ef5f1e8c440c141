//! One transfer per file and process, however many callers want it.

use std::collections::HashMap;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, Weak};

use tabagent_storage::{BlobName, Digest, ManifestFile, RepoScope};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use crate::error::{Error, Result};
use crate::inner::Inner;
use crate::local_file::Source;
use crate::lock::lock;
use crate::transfer;

type Outcome = std::result::Result<(), Arc<Error>>;

/// What two callers must agree on to share a transfer. A sha256 says what the bytes are; a git sha1 is only an expectation of
/// one path, so it is shared within one commit's path only.
#[derive(Clone, PartialEq, Eq, Hash)]
enum FlightKey {
    Bytes(BlobName),
    Path(RepoScope, String),
}

impl FlightKey {
    fn of(scope: &RepoScope, file: &ManifestFile) -> Result<Self> {
        Ok(match file.digest()? {
            Digest::Sha256(digest) => Self::Bytes(BlobName(digest)),
            Digest::GitSha1(_) => Self::Path(scope.clone(), file.path.clone()),
        })
    }
}

/// Transfers under way in this process.
#[derive(Default)]
pub(crate) struct Flights {
    live: Mutex<HashMap<FlightKey, Weak<Flight>>>,
}

/// One transfer. It is cancelled, keeping what came, when the last caller drops it.
pub(crate) struct Flight {
    scope: RepoScope,
    path: String,
    /// Folder of the cache.
    cache: Arc<Path>,
    loaded: Arc<AtomicU64>,
    outcome: watch::Receiver<Option<Outcome>>,
    cancel: CancellationToken,
}

impl Drop for Flight {
    fn drop(&mut self) {
        self.cancel.cancel();
    }
}

impl Flights {
    /// Joins the transfer of `file`, `here` bytes of which are stored already; starts it when there is none.
    pub(crate) fn join(
        &self,
        inner: &Arc<Inner>,
        scope: &RepoScope,
        file: &ManifestFile,
        here: u64,
    ) -> Result<Arc<Flight>> {
        let key = FlightKey::of(scope, file)?;
        let mut live = lock(&self.live);
        if let Some(flight) = live.get(&key).and_then(Weak::upgrade).filter(|flight| !flight.is_over()) {
            return Ok(flight);
        }
        let flight = Arc::new(start(inner, scope, file, here)?);
        live.retain(|_, flight| flight.strong_count() > 0);
        live.insert(key, Arc::downgrade(&flight));
        Ok(flight)
    }
}

fn start(inner: &Arc<Inner>, scope: &RepoScope, file: &ManifestFile, here: u64) -> Result<Flight> {
    let (sender, outcome) = watch::channel(None);
    let (loaded, cancel) = (Arc::new(AtomicU64::new(here)), inner.closing.child_token());
    let job = transfer::Job {
        inner: Arc::clone(inner),
        scope: scope.clone(),
        file: file.clone(),
        source: Source::Hub,
        loaded: Arc::clone(&loaded),
        cancel: cancel.clone(),
    };
    inner.spawn(async move {
        let out = job.run().await.map_err(Arc::new);
        sender.send_replace(Some(out));
    })?;
    let cache = inner.tasks.cache();
    Ok(Flight { scope: scope.clone(), path: file.path.clone(), cache, loaded, outcome, cancel })
}

impl Flight {
    fn is_over(&self) -> bool {
        self.outcome.borrow().is_some() || self.cancel.is_cancelled()
    }

    /// Whether this path of this commit is the one it publishes.
    pub(crate) fn publishes(&self, scope: &RepoScope, path: &str) -> bool {
        self.path == path && self.scope == *scope
    }

    /// Counter of the file's bytes that are here.
    pub(crate) fn loaded(&self) -> u64 {
        self.loaded.load(Ordering::Relaxed)
    }

    /// Waits for the end.
    pub(crate) async fn wait(&self) -> Result<()> {
        let mut outcome = self.outcome.clone();
        match outcome.wait_for(Option::is_some).await.as_deref() {
            Ok(Some(Ok(()))) => Ok(()),
            Ok(Some(Err(error))) => Err(Error::Shared(Arc::clone(error))),
            // The task ended without a word: the runtime is shutting down.
            Ok(None) | Err(_) => Err(Error::Closed { path: self.cache.display().to_string() }),
        }
    }
}
