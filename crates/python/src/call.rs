//! Calls that take their time: without the interpreter's lock, and open to signals.

use std::future::Future;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};
use std::thread::{self, Thread};
use std::time::Duration;

use pyo3::prelude::*;
use tabagent_model_cache::{Error, Result};

use crate::error::to_python;
use crate::operation;
use crate::progress::Reporter;

/// How long a signal may wait for its handler, which only Python's own main thread runs.
const SIGNAL_INTERVAL: Duration = Duration::from_millis(50);

/// Runs short work of the disk without the interpreter's lock.
pub(crate) fn blocking<T: Send>(py: Python<'_>, work: impl FnOnce() -> Result<T> + Send) -> PyResult<T> {
    py.detach(work).map_err(|error| to_python(py, &error))
}

/// Waits for `future` without the interpreter's lock. An exception of a signal's handler drops the future, which detaches this
/// caller in the core.
pub(crate) fn wait<T: Send>(py: Python<'_>, future: impl Future<Output = Result<T>> + Send) -> PyResult<T> {
    wait_reporting(py, &Reporter::default(), future)
}

/// As [`wait`], with progress handed to Python on this thread, for the last time before the outcome is. An exception of the callback
/// ends the call like one of a signal's handler.
pub(crate) fn wait_reporting<T: Send>(
    py: Python<'_>,
    reporter: &Reporter,
    future: impl Future<Output = Result<T>> + Send,
) -> PyResult<T> {
    let mut future = pin!(future);
    let waker = Waker::from(Arc::new(Unpark(thread::current())));
    loop {
        let outcome = py.detach(|| poll_once(future.as_mut(), &waker));
        match outcome {
            Poll::Ready(Err(error)) => return Err(to_python(py, &error)),
            Poll::Ready(Ok(value)) => {
                reporter.deliver(py)?;
                return Ok(value);
            }
            Poll::Pending => {
                py.check_signals()?;
                operation::check()?;
                reporter.deliver(py)?;
            }
        }
    }
}

/// Polls, and where there is nothing yet sleeps until something woke this thread or signals are to be looked at.
fn poll_once<T>(
    future: Pin<&mut (impl Future<Output = std::result::Result<T, Error>> + ?Sized)>,
    waker: &Waker,
) -> Poll<Result<T>> {
    let outcome = future.poll(&mut Context::from_waker(waker));
    if outcome.is_pending() {
        thread::park_timeout(SIGNAL_INTERVAL);
    }
    outcome
}

struct Unpark(Thread);

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }
}
