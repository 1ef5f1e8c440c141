//! Manifests as they change.

use std::sync::{Arc, Mutex};

use pyo3::prelude::*;
use tabagent_model_cache::{Watch, WatchOptions};

use crate::cache::NativeCache;
use crate::call::{blocking, wait};
use crate::lock::lock;
use crate::manifest::NativeManifest;

/// What one caller watches; see `watch.py`.
#[pyclass(frozen, module = "tabagent_model_cache._native")]
pub(crate) struct NativeWatch {
    /// `None` once closed.
    watch: Mutex<Option<Arc<Watch>>>,
}

#[pymethods]
impl NativeWatch {
    /// Begins to watch.
    #[new]
    #[pyo3(signature = (cache, repo))]
    fn new(py: Python<'_>, cache: &NativeCache, repo: Option<String>) -> PyResult<Self> {
        let watch = blocking(py, || cache.core().watch(WatchOptions { repo, nudge: None }))?;
        Ok(Self { watch: Mutex::new(Some(Arc::new(watch))) })
    }

    /// The next manifest; `None` when nothing will come any more.
    fn next(&self, py: Python<'_>) -> PyResult<Option<NativeManifest>> {
        let watch = lock(&self.watch).clone();
        let Some(watch) = watch else { return Ok(None) };
        Ok(wait(py, watch.next())?.map(Into::into))
    }

    /// Ends it, and a `next` that waits.
    fn close(&self) {
        let watch = lock(&self.watch).take();
        if let Some(watch) = watch {
            watch.close();
        }
    }
}
