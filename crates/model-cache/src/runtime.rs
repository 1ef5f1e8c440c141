//! The runtime downloads run on: one per process, shared by all caches, whoever calls from whatever executor.

use std::future::Future;
use std::path::Path;
use std::sync::{Arc, OnceLock};

use tabagent_storage::StorageError;
use tokio::runtime::{Builder, Handle, Runtime};
use tokio::task::{JoinError, JoinHandle};

use crate::error::{Error, Result};
use crate::tasks::TaskToken;

/// The runtime of one process. A fork child has its parent's without the threads that drive it, and one of its own after it.
struct ProcessRuntime {
    process: u32,
    runtime: Runtime,
    child: OnceLock<Box<Self>>,
}

/// No lock, which a thread could hold while another one forks.
static RUNTIME: OnceLock<Box<ProcessRuntime>> = OnceLock::new();

/// Most threads for disk work: one write for each of the connections, and some for opening and finishing. Each thread has its
/// own heap, so many of them would cost more memory than the buffers.
const DISK_THREADS: usize = 24;

/// Two threads drive all sockets; disk work goes to the blocking pool.
fn start() -> Result<Runtime> {
    let started = Builder::new_multi_thread()
        .worker_threads(2)
        .max_blocking_threads(DISK_THREADS)
        .thread_name("model-cache")
        .enable_all()
        .build();
    started.map_err(|source| {
        let (action, path) = ("start the download threads", std::path::PathBuf::new());
        Error::Storage(StorageError::Io { action, path, source })
    })
}

/// The handle of this process's runtime.
///
/// # Errors
/// [`StorageError::Io`] when the system refuses threads or descriptors.
pub(crate) fn handle() -> Result<Handle> {
    let process = std::process::id();
    let mut place = &RUNTIME;
    loop {
        match place.get() {
            Some(known) if known.process == process => return Ok(known.runtime.handle().clone()),
            Some(parent) => place = &parent.child,
            None => {
                let new = ProcessRuntime { process, runtime: start()?, child: OnceLock::new() };
                if let Err(late) = place.set(Box::new(new)) {
                    // Another thread was first.
                    late.runtime.shutdown_background();
                }
            }
        }
    }
}

/// Runs `future`, which belongs to the cache in this folder, on the runtime. Dropping the returned future drops `future` too: the
/// caller has detached.
pub(crate) async fn run<T: Send + 'static>(
    cache: Arc<Path>,
    future: impl Future<Output = Result<T>> + Send + 'static,
) -> Result<T> {
    let mut task = Detaching(handle()?.spawn(future));
    joined((&mut task.0).await, &cache)
}

/// Runs blocking work (disk, libmdbx commits) beside the sockets. The cache's tracker counts it by `token` until it has returned,
/// also when nobody waits for it any more.
pub(crate) async fn blocking<T: Send + 'static>(
    token: TaskToken,
    work: impl FnOnce() -> Result<T> + Send + 'static,
) -> Result<T> {
    let cache = token.cache();
    let counted = move || {
        let out = work();
        drop(token);
        out
    };
    joined(handle()?.spawn_blocking(counted).await, &cache)
}

fn joined<T>(outcome: std::result::Result<Result<T>, JoinError>, cache: &Path) -> Result<T> {
    outcome.unwrap_or_else(|error| {
        if error.is_panic() {
            std::panic::resume_unwind(error.into_panic());
        }
        Err(Error::Closed { path: cache.display().to_string() })
    })
}

struct Detaching<T>(JoinHandle<T>);

impl<T> Drop for Detaching<T> {
    fn drop(&mut self) {
        self.0.abort();
    }
}
