//! ONNX models and their weights apart.

use pyo3::prelude::*;
use pyo3::types::PyBytes;
use tabagent_model_cache::{DetachedModel, DetachedWeights};

use crate::cache::NativeCache;
use crate::cached_file::NativeFile;
use crate::call::wait;
use crate::manifest::convert;

#[pymethods]
impl NativeCache {
    /// A stored model without its large weights of these types, and these.
    fn detached_model<'py>(
        &self,
        py: Python<'py>,
        repo: &str,
        path: &str,
        revision: Option<&str>,
        element_types: Vec<u64>,
    ) -> PyResult<NativeDetachedModel<'py>> {
        let detached = wait(py, self.core().detached_model(repo, path, revision, element_types))?;
        let DetachedModel { model, weights, files } = detached;
        let files = files.into_iter().map(|file| Py::new(py, NativeFile::open(file, false)));
        Ok(NativeDetachedModel {
            model: PyBytes::new(py, &model),
            file: DetachedModel::FILE,
            weights: convert(weights),
            files: files.collect::<PyResult<_>>()?,
        })
    }
}

/// What `onnxruntime.py` makes a session of.
#[derive(IntoPyObject)]
pub(crate) struct NativeDetachedModel<'py> {
    model: Bound<'py, PyBytes>,
    file: &'static str,
    weights: Vec<NativeDetachedWeights>,
    files: Vec<Py<NativeFile>>,
}

/// Weights of one initializer.
#[derive(IntoPyObject)]
pub(crate) struct NativeDetachedWeights {
    name: String,
    element_type: u64,
    shape: Vec<u64>,
    file: usize,
    start: u64,
    end: u64,
}

impl From<DetachedWeights> for NativeDetachedWeights {
    fn from(weights: DetachedWeights) -> Self {
        let DetachedWeights { name, element_type, shape, file, range } = weights;
        Self { name, element_type, shape, file, start: range.start, end: range.end }
    }
}
