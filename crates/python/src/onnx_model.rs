//! ONNX models as paths.

use std::path::PathBuf;
use std::sync::Mutex;

use pyo3::prelude::*;
use tabagent_model_cache::OnnxModel;

use crate::cache::NativeCache;
use crate::call::wait;
use crate::lock::lock;

#[pymethods]
impl NativeCache {
    /// The path of a stored model.
    fn onnx_model(
        &self,
        py: Python<'_>,
        repo: &str,
        path: &str,
        revision: Option<&str>,
    ) -> PyResult<NativeOnnxModel> {
        let model = wait(py, self.core().onnx_model(repo, path, revision))?;
        Ok(NativeOnnxModel { model: Mutex::new(Some(model)) })
    }
}

/// A model with a path; see `onnx_model.py`.
#[pyclass(frozen, module = "tabagent_model_cache._native")]
pub(crate) struct NativeOnnxModel {
    /// `None` once closed.
    model: Mutex<Option<OnnxModel>>,
}

#[pymethods]
impl NativeOnnxModel {
    /// What never changes; `None` once it is closed.
    fn describe(&self) -> Option<NativeOnnxModelDescription> {
        let model = lock(&self.model);
        model.as_ref().map(|model| NativeOnnxModelDescription {
            repo: model.repo().to_owned(),
            path: model.path().to_owned(),
            commit: model.commit().to_owned(),
            model_path: model.model_path().to_owned(),
        })
    }

    /// Lets go of the files.
    fn close(&self, py: Python<'_>) {
        let model = lock(&self.model).take();
        py.detach(|| drop(model));
    }
}

/// See the attributes of `OnnxModel` in `onnx_model.py`.
#[derive(IntoPyObject)]
pub(crate) struct NativeOnnxModelDescription {
    repo: String,
    path: String,
    commit: String,
    model_path: PathBuf,
}
