//! An open store: both environments under one root.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::closing::OpenToken;
use crate::environment::{ChunkEnvironment, ManifestEnvironment};
use crate::error::{OPENED_READ_ONLY, Result, StorageError};
use crate::format;
use crate::layout::DATA_FILE;
use crate::platform;
use crate::readers::Readers;
use crate::recent::RecentTotal;
use crate::registry::StoreOptions;
use crate::room::make_room_to_open;
use crate::snapshot::Snapshot;
use crate::sync::Syncer;
use crate::together::Together;
use crate::transaction::{ReadTransaction, WriteTransaction};
use crate::version::Version;

/// Folder of environment C below the root.
const CHUNKS: &str = "model_cache_chunks";
/// Folder of environment M below the root.
const MANIFESTS: &str = "model_cache_manifests";
/// Folder of the lease files below the root.
const LOCKS: &str = "locks";

/// An open store. [`crate::StorageRegistry::open`] gives it.
pub struct Store {
    // Field order is load-bearing: the sync thread ends before the environments may close.
    pub(crate) syncer: Syncer,
    pub(crate) chunks: Arc<ChunkEnvironment>,
    pub(crate) manifests: Arc<ManifestEnvironment>,
    pub(crate) readers: Readers,
    pub(crate) together: Together,
    pub(crate) recent: Arc<RecentTotal>,
    root: PathBuf,
    locks: PathBuf,
    read_only: bool,
}

impl std::fmt::Debug for Store {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Store")
            .field("root", &self.root)
            .field("read_only", &self.read_only)
            .finish_non_exhaustive()
    }
}

impl Store {
    /// Opens the environments below `root`, an existing folder. Only the registry calls this.
    pub(crate) fn open(root: PathBuf, options: StoreOptions, token: &OpenToken) -> Result<Arc<Self>> {
        let read_only = options.read_only;
        let locks = root.join(LOCKS);
        check_file_system(&root)?;
        let has_chunks = fs::metadata(root.join(CHUNKS).join(DATA_FILE)).is_ok_and(|file| file.len() > 0);
        if !read_only {
            if root.join(MANIFESTS).exists() {
                make_room_to_open(&root.join(MANIFESTS), &locks)?;
            }
            refuse_newer(&root, token)?;
            for folder in [&root.join(CHUNKS), &root.join(MANIFESTS), &locks] {
                create_private(folder)?;
            }
            for environment in [CHUNKS, MANIFESTS] {
                make_room_to_open(&root.join(environment), &locks)?;
            }
        }
        let folder = root.join(MANIFESTS);
        let manifests = ManifestEnvironment::open(folder, locks.clone(), read_only, token.clone())?;
        let manifests = Arc::new(manifests);
        // The format is recorded before C is made: whatever crashed, C is never there without it.
        format::check(&root, &manifests, has_chunks)?;
        let chunks = Arc::new(ChunkEnvironment::open(root.join(CHUNKS), read_only, token.clone())?);
        let syncer = Syncer::new(root.clone(), Arc::clone(&chunks), Arc::clone(&manifests));
        let (readers, together) = (Readers::default(), Together::default());
        let recent = Arc::default();
        Ok(Arc::new(Self { syncer, chunks, manifests, readers, together, recent, root, locks, read_only }))
    }

    /// The store's folder, canonical.
    #[must_use]
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// Folder of the lease files.
    pub(crate) fn locks(&self) -> &Path {
        &self.locks
    }

    /// Whether it was opened read-only.
    #[must_use]
    pub fn is_read_only(&self) -> bool {
        self.read_only
    }

    /// Runs `f` on a consistent view of M. Keep it short: views of files never need it.
    ///
    /// # Errors
    /// What `f` returns, or [`StorageError::Database`].
    pub fn read<T>(&self, f: impl FnOnce(&ReadTransaction<'_>) -> Result<T>) -> Result<T> {
        self.manifests.read(f)
    }

    /// Runs `f` in a write transaction of M: durable when it returns `Ok`, without any effect otherwise. Never nest it.
    ///
    /// # Errors
    /// What `f` returns, or [`StorageError::Database`], [`StorageError::ReadOnly`].
    pub fn write<T>(&self, f: impl FnOnce(&WriteTransaction<'_>) -> Result<T>) -> Result<T> {
        self.check_writable()?;
        self.manifests.write(f)
    }

    /// Prepares for a pass over most records: [`Store::read`] then waits less for the disk.
    ///
    /// # Errors
    /// [`StorageError::Database`], [`StorageError::Forked`].
    pub fn read_ahead(&self) -> Result<()> {
        self.manifests.read_ahead()
    }

    /// The state of M: another one after every change, whichever process makes it. Costs next to nothing.
    ///
    /// # Errors
    /// [`StorageError::Database`], [`StorageError::Forked`].
    pub fn version(&self) -> Result<Version> {
        self.manifests.version()
    }

    /// Fails in a fork child of the process that opened the store: open it again there.
    ///
    /// # Errors
    /// [`StorageError::Forked`].
    pub fn check_process(&self) -> Result<()> {
        self.manifests.check()
    }

    /// Refuses what a store opened read-only cannot do.
    pub(crate) fn check_writable(&self) -> Result<()> {
        self.check_process()?;
        if self.read_only {
            return Err(StorageError::ReadOnly {
                path: self.root.clone(),
                reason: OPENED_READ_ONLY.to_owned(),
            });
        }
        Ok(())
    }

    /// Pins the newest state of C.
    pub(crate) fn snapshot(&self) -> Result<Snapshot> {
        Snapshot::begin(Arc::clone(&self.chunks))
    }
}

/// Other machines would not see what is written through memory, nor the locks.
fn check_file_system(root: &Path) -> Result<()> {
    let kind = platform::network_file_system(root)
        .map_err(|error| StorageError::io("ask for the file system", root, error))?;
    match kind {
        Some(kind) => Err(StorageError::UnsupportedFilesystem {
            path: root.to_owned(),
            reason: format!("it is on {kind}, which other machines may use as well"),
        }),
        None => Ok(()),
    }
}

/// Refuses a store of a newer format before anything of it is opened to be written, which alone may change it.
fn refuse_newer(root: &Path, token: &OpenToken) -> Result<()> {
    // What cannot be opened so is opened to be written next, and tells then why.
    let (folder, locks) = (root.join(MANIFESTS), root.join(LOCKS));
    let Ok(manifests) = ManifestEnvironment::open(folder, locks, true, token.clone()) else {
        return Ok(());
    };
    match format::check(root, &manifests, false) {
        Err(error @ StorageError::VersionMismatch { .. }) => Err(error),
        _ => Ok(()),
    }
}

/// Makes the folder and its missing parents, private to the user; who may see one that is there is left as it is.
pub(crate) fn create_private(folder: &Path) -> Result<()> {
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(folder).map_err(|error| StorageError::io("create the folder", folder, error))
}
