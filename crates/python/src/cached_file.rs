//! Handles of stored files, and the buffer protocol over their bytes: the only file of this crate with `unsafe`.
#![expect(unsafe_code, reason = "memory that Python reads has no Rust lifetime")]

use std::ffi::c_int;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};

use pyo3::exceptions::PyBufferError;
use pyo3::prelude::*;
use pyo3::types::PyBytes;
use pyo3::{ffi, pyclass};
use tabagent_model_cache::{CachedFile, Extent, Mapping};

use crate::call::blocking;
use crate::lock::lock;
use crate::manifest::{NativeDigest, convert};

/// One handle of a stored file. `CachedFile` in `cached_file.py` is a subclass of it, and is the object that views refer to.
#[pyclass(frozen, subclass, module = "tabagent_model_cache._native")]
pub(crate) struct NativeFile {
    size: u64,
    verify: bool,
    state: Mutex<State>,
}

/// What changes in the life of a handle. Its lock is never held while another one, the interpreter's included, is waited for.
struct State {
    /// `None` once closed.
    file: Option<CachedFile>,
    /// Views alive.
    exports: usize,
    /// The bytes, from the first view until the handle is closed.
    mapping: Option<Arc<Mapping>>,
}

#[pymethods]
impl NativeFile {
    /// A handle of what `file` is a handle of, for the subclass.
    #[new]
    fn new(py: Python<'_>, file: &Self) -> PyResult<Self> {
        Ok(Self::open(file.file(py)?, file.verify))
    }

    /// What never changes while the handle is open.
    fn describe(&self, py: Python<'_>) -> PyResult<NativeFileDescription> {
        let file = self.file(py)?;
        Ok(NativeFileDescription {
            repo: file.repo().to_owned(),
            path: file.path().to_owned(),
            commit: file.commit().to_owned(),
            size: file.size(),
            digest: file.digest().into(),
            zero_copy: file.zero_copy(),
        })
    }

    /// Whether the handle is closed.
    fn is_closed(&self) -> bool {
        self.with_state(|state| state.file.is_none())
    }

    /// A copy of the bytes.
    fn copy<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyBytes>> {
        Ok(PyBytes::new(py, &self.mapping(py)?))
    }

    /// Where the bytes lie.
    fn list_extents(&self, py: Python<'_>) -> PyResult<Vec<NativeExtent>> {
        Ok(convert(self.file(py)?.extents()))
    }

    /// Ends this handle, unless views of it are alive.
    fn end(&self) -> PyResult<()> {
        let released = self.with_state(|state| {
            if state.exports > 0 {
                return Err(PyBufferError::new_err("the file cannot be closed: views of it exist"));
            }
            Ok((state.file.take(), state.mapping.take()))
        });
        released.map(drop)
    }

    fn __len__(&self) -> usize {
        usize::try_from(self.size).unwrap_or(usize::MAX)
    }

    /// A file is something, an empty one too.
    #[expect(clippy::unused_self, reason = "the signature of the slot")]
    fn __bool__(&self) -> bool {
        true
    }

    /// Fills in a view of the whole file, read-only.
    ///
    /// # Safety
    /// Python calls it with a `Py_buffer` to fill in, and `__releasebuffer__` once for each that was.
    unsafe fn __getbuffer__(slf: Bound<'_, Self>, view: *mut ffi::Py_buffer, flags: c_int) -> PyResult<()> {
        let py = slf.py();
        let mapping = slf.get().mapping(py)?;
        let length =
            isize::try_from(mapping.len()).map_err(|_| PyBufferError::new_err("the file is too large"))?;
        slf.get().with_state(|state| match state.file {
            Some(_) => {
                state.exports += 1;
                Ok(())
            }
            None => Err(closed(py)),
        })?;
        let bytes = mapping.as_ptr().cast_mut().cast();
        // SAFETY: `view` is Python's to be filled in. The bytes stay valid while the view lives: it holds a reference to `slf`,
        // which keeps the mapping, and closing is refused while there are exports.
        let status = unsafe { ffi::PyBuffer_FillInfo(view, slf.as_ptr(), bytes, length, 1, flags) };
        if status == 0 {
            return Ok(());
        }
        slf.get().with_state(|state| state.exports -= 1);
        Err(PyErr::fetch(py))
    }

    /// A view is gone.
    ///
    /// # Safety
    /// Python calls it once for each view that was filled in.
    unsafe fn __releasebuffer__(&self, _view: *mut ffi::Py_buffer) {
        self.with_state(|state| state.exports -= 1);
    }
}

impl NativeFile {
    /// A handle whose bytes are checked when they are first handed out, where `verify` is set.
    pub(crate) fn open(file: CachedFile, verify: bool) -> Self {
        let state = |file| State { file: Some(file), exports: 0, mapping: None };
        Self { size: file.size(), verify, state: Mutex::new(state(file)) }
    }

    fn file(&self, py: Python<'_>) -> PyResult<CachedFile> {
        self.with_state(|state| state.file.clone()).ok_or_else(|| closed(py))
    }

    /// The bytes. The handle keeps them until it is closed.
    fn mapping(&self, py: Python<'_>) -> PyResult<Arc<Mapping>> {
        if let Some(mapping) = self.with_state(|state| state.mapping.clone()) {
            return Ok(mapping);
        }
        let file = self.file(py)?;
        let new = blocking(py, || {
            if self.verify {
                file.verify(0..file.size())?;
            }
            file.map()
        })?;
        self.with_state(|state| state.file.is_some().then(|| Arc::clone(state.mapping.get_or_insert(new))))
            .ok_or_else(|| closed(py))
    }

    fn with_state<T>(&self, use_state: impl FnOnce(&mut State) -> T) -> T {
        use_state(&mut lock(&self.state))
    }
}

/// The exception of a closed handle.
fn closed(py: Python<'_>) -> PyErr {
    let made = py.import("tabagent_model_cache.error").and_then(|module| module.call_method0("closed_file"));
    made.map_or_else(|failure| failure, PyErr::from_value)
}

/// See the attributes of `CachedFile` in `cached_file.py`.
#[derive(IntoPyObject)]
pub(crate) struct NativeFileDescription {
    repo: String,
    path: String,
    commit: String,
    size: u64,
    digest: NativeDigest,
    zero_copy: bool,
}

/// See `Extent` in `cached_file.py`.
#[derive(IntoPyObject)]
pub(crate) struct NativeExtent {
    file: PathBuf,
    offset: u64,
    length: u64,
}

impl From<Extent> for NativeExtent {
    fn from(extent: Extent) -> Self {
        Self { file: extent.path, offset: extent.offset, length: extent.length }
    }
}
