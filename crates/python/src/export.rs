//! Exports and what they report.

use std::path::PathBuf;

use pyo3::prelude::*;
use tabagent_model_cache::{ExportOptions, ExportReport, ExportedFile, Link, Method};

use crate::cache::NativeCache;
use crate::call::wait_reporting;
use crate::manifest::convert;
use crate::progress::Reporter;

/// Options of the exporting calls.
#[derive(FromPyObject)]
#[pyo3(from_item_all)]
pub(crate) struct NativeExportOptions {
    revision: Option<String>,
    link: String,
    overwrite: bool,
}

impl NativeExportOptions {
    fn into_core(self, reporter: &Reporter) -> ExportOptions {
        ExportOptions {
            revision: self.revision,
            link: match self.link.as_str() {
                "reflink" => Link::Reflink,
                "copy" => Link::Copy,
                _ => Link::Auto,
            },
            overwrite: self.overwrite,
            progress: reporter.callback(),
        }
    }
}

#[pymethods]
impl NativeCache {
    /// Writes the files of a quant into a folder.
    fn export_quant(
        &self,
        py: Python<'_>,
        repo: &str,
        quant: &str,
        directory: PathBuf,
        options: NativeExportOptions,
        progress: Option<Py<PyAny>>,
    ) -> PyResult<NativeExportReport> {
        let reporter = Reporter::new(progress);
        let options = options.into_core(&reporter);
        let report =
            wait_reporting(py, &reporter, self.core().export_quant(repo, quant, &directory, options));
        Ok(report?.into())
    }

    /// Writes a file.
    fn export_file(
        &self,
        py: Python<'_>,
        repo: &str,
        path: &str,
        destination: PathBuf,
        options: NativeExportOptions,
        progress: Option<Py<PyAny>>,
    ) -> PyResult<NativeExportReport> {
        let reporter = Reporter::new(progress);
        let options = options.into_core(&reporter);
        let report =
            wait_reporting(py, &reporter, self.core().export_file(repo, path, &destination, options));
        Ok(report?.into())
    }
}

/// See `ExportReport` in `report.py`.
#[derive(IntoPyObject)]
pub(crate) struct NativeExportReport {
    files: Vec<NativeExportedFile>,
}

impl From<ExportReport> for NativeExportReport {
    fn from(report: ExportReport) -> Self {
        Self { files: convert(report.files) }
    }
}

/// See `ExportedFile` in `report.py`.
#[derive(IntoPyObject)]
pub(crate) struct NativeExportedFile {
    path: String,
    destination: PathBuf,
    size: u64,
    method: &'static str,
}

impl From<ExportedFile> for NativeExportedFile {
    fn from(file: ExportedFile) -> Self {
        Self {
            path: file.path,
            destination: file.destination,
            size: file.size,
            method: match file.method {
                Method::Reflink => "reflink",
                Method::Copy => "copy",
            },
        }
    }
}
