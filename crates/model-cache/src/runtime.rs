//! The runtime downloads run on: one per process, shared by all caches, whoever calls from whatever executor.

use std::future::Future;
use std::io;
use std::sync::LazyLock;

use tabagent_storage::StorageError;
use tokio::runtime::{Builder, Handle, Runtime};
use tokio::task::JoinHandle;

use crate::error::{Error, Result};

/// Two threads drive all sockets; disk work goes to the blocking pool.
static RUNTIME: LazyLock<io::Result<Runtime>> = LazyLock::new(|| {
    Builder::new_multi_thread().worker_threads(2).thread_name("model-cache").enable_all().build()
});

/// The handle of the runtime.
///
/// # Errors
/// [`StorageError::Io`] when the system refuses threads or descriptors.
pub(crate) fn handle() -> Result<&'static Handle> {
    RUNTIME.as_ref().map(Runtime::handle).map_err(|error| {
        Error::Storage(StorageError::Io {
            action: "start the download threads",
            path: std::path::PathBuf::new(),
            source: io::Error::new(error.kind(), error.to_string()),
        })
    })
}

/// Runs `future` on the runtime. Dropping the returned future drops `future` too: the caller has detached.
pub(crate) async fn run<T: Send + 'static>(
    future: impl Future<Output = Result<T>> + Send + 'static,
) -> Result<T> {
    let mut task = Detaching(handle()?.spawn(future));
    joined((&mut task.0).await)
}

/// Runs blocking work (disk, libmdbx commits) beside the sockets.
pub(crate) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T> + Send + 'static,
) -> Result<T> {
    joined(handle()?.spawn_blocking(work).await)
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
