//! The Python extension module over `tabagent-model-cache`: convert, call, convert. It holds no logic; the public API and its
//! documentation are the Python files of the same names in `python/tabagent_model_cache`.
#![expect(clippy::needless_pass_by_value, reason = "PyO3 hands arguments over by value")]

mod cache;
mod cached_file;
mod call;
mod detached_model;
mod error;
mod export;
mod import;
mod inspection;
mod lock;
mod manifest;
mod onnx_model;
mod operation;
mod options;
mod plain_files;
mod progress;
mod report;
mod watch;

use pyo3::pymodule;

/// `tabagent_model_cache._native`.
#[pymodule]
mod _native {
    #[pymodule_export]
    use crate::cache::NativeCache;
    #[pymodule_export]
    use crate::cached_file::NativeFile;
    #[pymodule_export]
    use crate::onnx_model::NativeOnnxModel;
    #[pymodule_export]
    use crate::operation::NativeOperation;
    #[pymodule_export]
    use crate::plain_files::NativePlainFiles;
    #[pymodule_export]
    use crate::watch::NativeWatch;

    use pyo3::prelude::*;

    /// Version of the package, and every code that an error of the core can carry.
    #[pymodule_init]
    fn init(module: &Bound<'_, PyModule>) -> PyResult<()> {
        module.add("VERSION", env!("CARGO_PKG_VERSION"))?;
        module.add("ERROR_CODES", tabagent_model_cache::ERROR_CODES.to_vec())
    }
}
