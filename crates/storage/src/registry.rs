//! One environment per path per process, shared by all its threads.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, LazyLock, Weak};

use crate::closing::{Closed, open_token};
use crate::error::{Result, StorageError};
use crate::mutex::Mutex;
use crate::platform;
use crate::process::Process;
use crate::store::{Store, create_private};

/// How a store is opened.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct StoreOptions {
    /// Never write, and hold no writable map of the data file. The store must exist. Default: false.
    pub read_only: bool,
}

/// libmdbx forbids opening an environment twice in one process, so the open stores are kept here: for the process (a fork
/// child has none of its parent's, hence the process), path and mode.
type OpenStores = HashMap<(Process, PathBuf), (Weak<Store>, Closed)>;
static OPEN: LazyLock<Mutex<OpenStores>> = LazyLock::new(Mutex::default);

/// Opens stores; every caller in the process gets the same one for a path.
#[derive(Clone, Debug)]
pub struct StorageRegistry {
    base: PathBuf,
}

impl StorageRegistry {
    /// A registry that takes relative paths from `base`. All registries of a process share the open stores.
    pub fn new(base: impl Into<PathBuf>) -> Self {
        Self { base: base.into() }
    }

    /// Opens the store at `path`, creating it, private to the user, unless it is opened read-only.
    ///
    /// # Errors
    /// [`StorageError::ReadOnly`], [`StorageError::Io`] when the folder cannot be used (a file is in its place, no permission);
    /// [`StorageError::VersionMismatch`] for a newer format or another libmdbx; [`StorageError::InUse`] when the process has
    /// the store open in the other mode; [`StorageError::UnsupportedFilesystem`] on a network file system.
    pub fn open(&self, path: &Path, options: StoreOptions) -> Result<Arc<Store>> {
        let path = self.base.join(path);
        if !options.read_only {
            create_private(&path)?;
        }
        let root = path.canonicalize().map_err(|error| StorageError::io("open the folder", &path, error))?;
        let key = (Process::current(), root.clone());
        // A fork child has this map too, and what libmdbx does while opening.
        let _pause =
            platform::pause_forks().map_err(|error| StorageError::io("prepare for forks", &root, error))?;
        // The lock is held while opening, so that two threads cannot open one environment at once.
        let mut open = OPEN.lock();
        if let Some((store, closed)) = open.get(&key) {
            if let Some(store) = store.upgrade() {
                return shared(store, options);
            }
            // Another thread dropped the last handle and is closing now. If it never ends, libmdbx refuses below.
            closed.wait();
        }
        let (token, closed) = open_token();
        let store = Store::open(root, options, &token)?;
        open.retain(|_, (_, closed)| !closed.is_closed());
        open.insert(key, (Arc::downgrade(&store), closed));
        Ok(store)
    }
}

fn shared(store: Arc<Store>, options: StoreOptions) -> Result<Arc<Store>> {
    if store.is_read_only() && !options.read_only {
        return Err(StorageError::InUse {
            what: format!("the model cache at {}", store.root().display()),
            reason: "this process has it open read-only; close that first".to_owned(),
        });
    }
    Ok(store)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_store_counts_as_open_until_its_last_environment_is_closed() {
        let folder = tempfile::tempdir().unwrap();
        let registry = StorageRegistry::new(folder.path());
        let open = || registry.open("s".as_ref(), StoreOptions::default()).unwrap();
        let store = open();
        let key = (Process::current(), store.root().to_owned());
        let is_closed = || OPEN.lock().get(&key).unwrap().1.is_closed();
        let (chunks, manifests) = (Arc::clone(&store.chunks), Arc::clone(&store.manifests));
        drop(store);
        assert!(!is_closed());
        drop(manifests);
        assert!(!is_closed());
        let thread = std::thread::spawn(move || drop(chunks));
        // It waits for the thread, wherever that is.
        open();
        thread.join().unwrap();
    }
}
