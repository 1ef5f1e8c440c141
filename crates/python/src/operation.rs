//! One call that another thread can let go.

use std::cell::RefCell;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::{self, Thread};

use pyo3::exceptions::PyInterruptedError;
use pyo3::prelude::*;

use crate::lock::lock;

thread_local! {
    /// The operation this thread runs.
    static CURRENT: RefCell<Option<Arc<State>>> = const { RefCell::new(None) };
}

#[derive(Default)]
struct State {
    cancelled: AtomicBool,
    /// The thread that waits, while it does.
    waiting: Mutex<Option<Thread>>,
}

/// The caller's end of a call on another thread; see `aio.py`.
#[pyclass(frozen, module = "tabagent_model_cache._native")]
pub(crate) struct NativeOperation {
    state: Arc<State>,
}

#[pymethods]
impl NativeOperation {
    /// An operation that no call belongs to yet.
    #[new]
    fn new() -> Self {
        Self { state: Arc::default() }
    }

    /// Runs Python code on this thread; the calls of the cache in it can be let go.
    fn run(&self, work: &Bound<'_, PyAny>) -> PyResult<Py<PyAny>> {
        let _entered = Entered::new(&self.state);
        check()?;
        Ok(work.call0()?.unbind())
    }

    /// Lets the call go: it ends soon, and what it did goes on only for others who want it too.
    fn cancel(&self) {
        self.state.cancelled.store(true, Ordering::Release);
        if let Some(waiting) = lock(&self.state.waiting).as_ref() {
            waiting.unpark();
        }
    }
}

/// This thread runs the operation as long as this lives.
struct Entered(Arc<State>);

impl Entered {
    fn new(state: &Arc<State>) -> Self {
        *lock(&state.waiting) = Some(thread::current());
        CURRENT.set(Some(Arc::clone(state)));
        Self(Arc::clone(state))
    }
}

impl Drop for Entered {
    fn drop(&mut self) {
        CURRENT.set(None);
        *lock(&self.0.waiting) = None;
    }
}

/// Fails when the operation of this thread was let go.
pub(crate) fn check() -> PyResult<()> {
    let cancelled = CURRENT
        .with_borrow(|current| current.as_ref().is_some_and(|state| state.cancelled.load(Ordering::Acquire)));
    if cancelled { Err(PyInterruptedError::new_err("the caller let this call go")) } else { Ok(()) }
}
