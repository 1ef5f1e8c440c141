//! The newest progress of a call, kept until the calling thread hands it to Python.

use std::sync::{Arc, Mutex};
use std::thread;

use pyo3::prelude::*;
use tabagent_model_cache::{FileProgress, Progress, ProgressCallback};

use crate::lock::lock;

/// Hands progress to one Python callable.
#[derive(Default)]
pub(crate) struct Reporter {
    callable: Option<Py<PyAny>>,
    latest: Arc<Mutex<Option<Progress>>>,
}

impl Reporter {
    /// For the callable, if the caller gave one.
    pub(crate) fn new(callable: Option<Py<PyAny>>) -> Self {
        Self { callable, latest: Arc::default() }
    }

    /// What the core calls from its threads: it keeps the report and wakes the thread that waits, which is this one.
    pub(crate) fn callback(&self) -> Option<ProgressCallback> {
        self.callable.as_ref()?;
        let (latest, waiting) = (Arc::clone(&self.latest), thread::current());
        Some(Arc::new(move |progress: &Progress| {
            *lock(&latest) = Some(progress.clone());
            waiting.unpark();
        }))
    }

    /// Calls the callable with what it has not seen.
    pub(crate) fn deliver(&self, py: Python<'_>) -> PyResult<()> {
        let Some(callable) = &self.callable else { return Ok(()) };
        let progress = lock(&self.latest).take();
        let Some(progress) = progress else { return Ok(()) };
        callable.call1(py, (NativeProgress::from(progress),)).map(drop)
    }
}

/// See `Progress` in `progress.py`.
#[derive(IntoPyObject)]
pub(crate) struct NativeProgress {
    repo: String,
    quant: Option<String>,
    path: Option<String>,
    loaded: u64,
    total: u64,
    file_loaded: Option<u64>,
    file_total: Option<u64>,
    files: Vec<NativeFileProgress>,
    bytes_per_second: f64,
    resumed_from: u64,
}

impl From<Progress> for NativeProgress {
    fn from(progress: Progress) -> Self {
        Self {
            repo: progress.repo,
            quant: progress.quant,
            path: progress.path,
            loaded: progress.loaded,
            total: progress.total,
            file_loaded: progress.file_loaded,
            file_total: progress.file_total,
            files: progress.files.into_iter().map(Into::into).collect(),
            bytes_per_second: progress.bytes_per_second,
            resumed_from: progress.resumed_from,
        }
    }
}

/// See `FileProgress` in `progress.py`.
#[derive(IntoPyObject)]
pub(crate) struct NativeFileProgress {
    path: String,
    loaded: u64,
    total: u64,
}

impl From<FileProgress> for NativeFileProgress {
    fn from(file: FileProgress) -> Self {
        Self { path: file.path, loaded: file.loaded, total: file.total }
    }
}
