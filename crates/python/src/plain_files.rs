//! Plain files that processes share.

use std::path::PathBuf;
use std::sync::Mutex;

use pyo3::prelude::*;
use tabagent_model_cache::{MaterializeOptions, PlainFile, PlainFiles, PlainMethod};

use crate::cache::NativeCache;
use crate::call::{blocking, wait_reporting};
use crate::lock::lock;
use crate::manifest::convert;
use crate::progress::Reporter;

#[pymethods]
impl NativeCache {
    /// Holds the plain files of a file or quant.
    fn materialize(
        &self,
        py: Python<'_>,
        repo: &str,
        path_or_quant: &str,
        revision: Option<String>,
        keep: bool,
        progress: Option<Py<PyAny>>,
    ) -> PyResult<NativePlainFiles> {
        let reporter = Reporter::new(progress);
        let options = MaterializeOptions { revision, keep, progress: reporter.callback() };
        let files = wait_reporting(py, &reporter, self.core().materialize(repo, path_or_quant, options))?;
        Ok(NativePlainFiles {
            path: files.path().to_owned(),
            folder: files.folder(),
            copied: files.copied(),
            files: files.files().to_vec(),
            held: Mutex::new(Some(files)),
        })
    }
}

/// Held plain files; see `plain_files.py`.
#[pyclass(frozen, module = "tabagent_model_cache._native")]
pub(crate) struct NativePlainFiles {
    #[pyo3(get)]
    path: PathBuf,
    #[pyo3(get)]
    folder: PathBuf,
    #[pyo3(get)]
    copied: u64,
    files: Vec<PlainFile>,
    /// `None` once closed.
    held: Mutex<Option<PlainFiles>>,
}

#[pymethods]
impl NativePlainFiles {
    /// The files.
    fn list(&self) -> Vec<NativePlainFile> {
        convert(self.files.clone())
    }

    /// Whether they are no longer held.
    fn is_closed(&self) -> bool {
        lock(&self.held).is_none()
    }

    /// Lets the files go.
    fn close(&self, py: Python<'_>) -> PyResult<()> {
        let held = lock(&self.held).take();
        blocking(py, move || {
            drop(held);
            Ok(())
        })
    }
}

/// See `PlainFile` in `plain_files.py`.
#[derive(IntoPyObject)]
pub(crate) struct NativePlainFile {
    path: String,
    file: PathBuf,
    size: u64,
    method: &'static str,
}

impl From<PlainFile> for NativePlainFile {
    fn from(file: PlainFile) -> Self {
        Self {
            path: file.path,
            file: file.file,
            size: file.size,
            method: match file.method {
                PlainMethod::Reflink => "reflink",
                PlainMethod::Copy => "copy",
                PlainMethod::Shared => "shared",
            },
        }
    }
}
