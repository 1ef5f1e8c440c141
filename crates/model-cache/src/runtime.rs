//! The runtime downloads run on: one per process, shared by all caches, whoever calls from whatever executor.

use std::future::Future;
use std::io;
use std::sync::{Mutex, PoisonError};

use tabagent_storage::StorageError;
use tokio::runtime::{Builder, Handle, Runtime};
use tokio::task::JoinHandle;
use tokio_util::task::task_tracker::TaskTrackerToken;

use crate::error::{Error, Result};

/// The runtime and the process whose threads drive it: a fork child has its parent's runtime without them.
static RUNTIME: Mutex<Option<(u32, Runtime)>> = Mutex::new(None);

/// Most threads for disk work: one write for each of the connections, and some for opening and finishing. Each thread has its
/// own heap, so many of them would cost more memory than the buffers.
const DISK_THREADS: usize = 24;

/// Two threads drive all sockets; disk work goes to the blocking pool.
fn start() -> io::Result<Runtime> {
    Builder::new_multi_thread()
        .worker_threads(2)
        .max_blocking_threads(DISK_THREADS)
        .thread_name("model-cache")
        .enable_all()
        .build()
}

/// The handle of this process's runtime.
///
/// # Errors
/// [`StorageError::Io`] when the system refuses threads or descriptors.
pub(crate) fn handle() -> Result<Handle> {
    let mut known = RUNTIME.lock().unwrap_or_else(PoisonError::into_inner);
    let process = std::process::id();
    if let Some((owner, runtime)) = &*known
        && *owner == process
    {
        return Ok(runtime.handle().clone());
    }
    let runtime = start().map_err(|source| {
        Error::Storage(StorageError::Io {
            action: "start the download threads",
            path: std::path::PathBuf::new(),
            source,
        })
    })?;
    let handle = runtime.handle().clone();
    // Dropping the parent's would wait for threads that are not here.
    std::mem::forget(known.replace((process, runtime)));
    Ok(handle)
}

/// Runs `future` on the runtime. Dropping the returned future drops `future` too: the caller has detached.
pub(crate) async fn run<T: Send + 'static>(
    future: impl Future<Output = Result<T>> + Send + 'static,
) -> Result<T> {
    let mut task = Detaching(handle()?.spawn(future));
    joined((&mut task.0).await)
}

/// Runs blocking work (disk, libmdbx commits) beside the sockets. The cache's tracker counts it by `token` until it has returned,
/// also when nobody waits for it any more.
pub(crate) async fn blocking<T: Send + 'static>(
    token: TaskTrackerToken,
    work: impl FnOnce() -> Result<T> + Send + 'static,
) -> Result<T> {
    let counted = move || {
        let out = work();
        drop(token);
        out
    };
    joined(handle()?.spawn_blocking(counted).await)
}

fn joined<T>(outcome: std::result::Result<Result<T>, tokio::task::JoinError>) -> Result<T> {
    outcome.unwrap_or_else(|error| {
        if error.is_panic() {
            std::panic::resume_unwind(error.into_panic());
        }
        Err(Error::Closed { path: String::new() })
    })
}

struct Detaching<T>(JoinHandle<T>);

impl<T> Drop for Detaching<T> {
    fn drop(&mut self) {
        self.0.abort();
    }
}
