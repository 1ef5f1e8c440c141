//! Imports and what they report.

use std::path::PathBuf;

use pyo3::prelude::*;
use tabagent_model_cache::{ImportOptions, ImportReport, ImportedFile, Skipped};

use crate::cache::NativeCache;
use crate::call::wait_reporting;
use crate::manifest::{NativeFileInfo, convert};
use crate::progress::Reporter;

#[pymethods]
impl NativeCache {
    /// Takes models from a cache folder of `huggingface_hub`.
    fn import_hf_cache(
        &self,
        py: Python<'_>,
        directory: PathBuf,
        repo: Option<String>,
        progress: Option<Py<PyAny>>,
    ) -> PyResult<NativeImportReport> {
        let reporter = Reporter::new(progress);
        let options = ImportOptions { repo, progress: reporter.callback() };
        let report = wait_reporting(py, &reporter, self.core().import_hf_cache(&directory, options));
        Ok(report?.into())
    }
}

/// See `ImportReport` in `report.py`.
#[derive(IntoPyObject)]
pub(crate) struct NativeImportReport {
    imported: Vec<NativeImportedFile>,
    skipped: Vec<NativeSkipped>,
    bytes: u64,
}

impl From<ImportReport> for NativeImportReport {
    fn from(report: ImportReport) -> Self {
        Self { imported: convert(report.imported), skipped: convert(report.skipped), bytes: report.bytes }
    }
}

/// See `ImportedFile` in `report.py`.
#[derive(IntoPyObject)]
pub(crate) struct NativeImportedFile {
    repo: String,
    commit: String,
    file: NativeFileInfo,
}

impl From<ImportedFile> for NativeImportedFile {
    fn from(imported: ImportedFile) -> Self {
        Self { repo: imported.repo, commit: imported.commit, file: imported.file.into() }
    }
}

/// See `Skipped` in `report.py`.
#[derive(IntoPyObject)]
pub(crate) struct NativeSkipped {
    path: String,
    why: String,
}

impl From<Skipped> for NativeSkipped {
    fn from(skipped: Skipped) -> Self {
        Self { path: skipped.path, why: skipped.why }
    }
}
