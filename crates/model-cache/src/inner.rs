//! What all handles of an open cache share.

use std::future::Future;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use tabagent_hub::{HubClient, HubOptions};
use tabagent_storage::{
    EndpointId, FileMetadata, OPENED_READ_ONLY, ReadTransaction, RepoScope, StorageError, StorageRegistry,
    Store, StoreOptions,
};
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;

use crate::error::{Error, Result};
use crate::evict::Running;
use crate::flight::Flights;
use crate::known_scopes::KnownScopes;
use crate::lookup::Lookup;
use crate::manifest::Manifest;
use crate::options::CacheOptions;
use crate::runtime;
use crate::status::Probe;
use crate::tasks::Tasks;
use crate::watch::Viewers;

/// How often a process that waits for another's lease looks again.
pub(crate) const LEASE_POLL: Duration = Duration::from_millis(250);

/// Most bytes of small files held in memory at once, in KiB.
const MEMORY_KIB: usize = 16 << 10;

/// What all handles of an open cache share.
pub(crate) struct Inner {
    pub(crate) store: Arc<Store>,
    pub(crate) hub: HubClient,
    pub(crate) endpoint: EndpointId,
    pub(crate) options: CacheOptions,
    pub(crate) flights: Flights,
    pub(crate) running: Arc<Running>,
    pub(crate) viewers: Viewers,
    known: KnownScopes,
    /// Cancelled by `close`: running downloads end and keep their partial.
    pub(crate) closing: CancellationToken,
    pub(crate) tasks: Tasks,
    /// Room for small files in memory.
    pub(crate) memory: Arc<Semaphore>,
}

impl Inner {
    /// Opens store and client.
    pub(crate) fn open(registry: &StorageRegistry, path: &Path, options: CacheOptions) -> Result<Self> {
        let hub = HubClient::new(HubOptions {
            endpoint: options.endpoint.clone(),
            token: options.token.clone(),
            user_agent: options.user_agent.clone(),
            connections: options.connections,
            stall_timeout: options.stall_timeout,
            retries: options.retries,
            max_bytes_per_second: options.max_bytes_per_second,
            proxy: options.proxy.clone(),
            certificate_authorities: options.certificate_authorities.clone(),
        })?;
        let store = registry.open(path, StoreOptions { read_only: options.read_only })?;
        if !options.read_only {
            // What dead processes left; whoever makes plain files hears when it cannot be removed.
            store.collect_plain_files(false, false).ok();
        }
        let tasks = Tasks::new(store.root());
        Ok(Self {
            store,
            endpoint: EndpointId::of(hub.endpoint()),
            options: CacheOptions { endpoint: hub.endpoint().to_owned(), ..options },
            hub,
            flights: Flights::default(),
            running: Arc::default(),
            viewers: Viewers::default(),
            known: KnownScopes::default(),
            closing: CancellationToken::new(),
            tasks,
            memory: Arc::new(Semaphore::new(MEMORY_KIB)),
        })
    }

    /// Runs an asynchronous call; it ends with `ERR_CLOSED` when the cache is closed meanwhile, and `close` waits for it.
    pub(crate) async fn call<T: Send + 'static>(
        self: &Arc<Self>,
        work: impl Future<Output = Result<T>> + Send + 'static,
    ) -> Result<T> {
        let inner = Arc::clone(self);
        let counted = self.tasks.track_future(async move {
            tokio::select! {
                biased;
                () = inner.closing.cancelled() => Err(inner.closed()),
                out = work => out,
            }
        });
        runtime::run(self.tasks.cache(), counted).await
    }

    /// Runs `work` on a thread where it may block, as [`Inner::call`]. It is told to stop when the caller is gone or the cache is closed.
    pub(crate) async fn call_blocking<T: Send + 'static>(
        self: &Arc<Self>,
        work: impl FnOnce(&Arc<Self>, &CancellationToken) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        let holder = Arc::clone(self);
        self.call(async move {
            let cancel = holder.closing.child_token();
            let _guard = cancel.clone().drop_guard();
            let token = holder.tasks.token();
            runtime::blocking(token, move || work(&holder, &cancel)).await
        })
        .await
    }

    /// Starts a task that `close` waits for.
    pub(crate) fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) -> Result<()> {
        self.tasks.spawn_on(task, &runtime::handle()?);
        Ok(())
    }

    /// Runs `f` on a consistent view of M.
    pub(crate) fn read<T>(&self, f: impl FnOnce(&ReadTransaction<'_>) -> Result<T>) -> Result<T> {
        self.store.read(|txn| Ok(f(txn)))?
    }

    /// What all processes are doing now.
    pub(crate) fn probe(&self) -> Result<Probe<'_>> {
        Probe::new(&self.store, &self.endpoint)
    }

    /// The newest stored manifest of a revision.
    pub(crate) fn manifest(&self, repo: &str, revision: &str) -> Result<Option<Manifest>> {
        let probe = self.probe()?;
        self.read(|txn| {
            let lookup = Lookup { txn, endpoint: &self.endpoint };
            let record = lookup.manifest_in(&self.known.scopes(&lookup, repo, revision)?)?;
            record.map(|record| Manifest::assemble(&probe, txn, record, revision)).transpose()
        })
    }

    /// A stored file, as [`Lookup::file`].
    pub(crate) fn file(
        &self,
        repo: &str,
        revision: &str,
        path: &str,
    ) -> Result<Option<(RepoScope, FileMetadata)>> {
        self.read(|txn| {
            let lookup = Lookup { txn, endpoint: &self.endpoint };
            lookup.file_in(&self.known.scopes(&lookup, repo, revision)?, path)
        })
    }

    /// Whether there is such a file.
    pub(crate) fn has_file(&self, repo: &str, revision: &str, path: &str) -> Result<bool> {
        self.read(|txn| {
            let lookup = Lookup { txn, endpoint: &self.endpoint };
            lookup.has_file_in(&self.known.scopes(&lookup, repo, revision)?, path)
        })
    }

    /// Whether this handle may not write. The store below may be writable all the same: the process shares it.
    pub(crate) fn is_read_only(&self) -> bool {
        self.options.read_only || self.store.is_read_only()
    }

    /// Refuses what would write into a cache opened read-only.
    pub(crate) fn check_writable(&self) -> Result<()> {
        if !self.is_read_only() {
            return Ok(());
        }
        Err(Error::Storage(StorageError::ReadOnly {
            path: self.store.root().to_owned(),
            reason: OPENED_READ_ONLY.to_owned(),
        }))
    }

    pub(crate) fn closed(&self) -> Error {
        Error::Closed { path: self.store.root().display().to_string() }
    }
}
