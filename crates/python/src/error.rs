//! Errors of the core as exceptions of Python.

use pyo3::IntoPyObjectExt;
use pyo3::prelude::*;
use pyo3::types::PyDict;
use tabagent_model_cache::Error;

/// The exception that `error.py` makes of the code, the message, the fields that are set, and the causes.
pub(crate) fn to_python(py: Python<'_>, error: &Error) -> PyErr {
    match exception(py, error) {
        Ok(exception) => PyErr::from_value(exception),
        Err(failure) => failure,
    }
}

fn exception<'py>(py: Python<'py>, error: &Error) -> PyResult<Bound<'py, PyAny>> {
    let arguments = (error.code(), error.to_string(), fields(py, error)?, error.causes());
    py.import("tabagent_model_cache.error")?.getattr("from_native")?.call1(arguments)
}

/// The fields that are set.
fn fields<'py>(py: Python<'py>, error: &Error) -> PyResult<Bound<'py, PyDict>> {
    let fields = error.fields();
    let named = [
        ("repo", fields.repo.into_bound_py_any(py)?),
        ("path", fields.path.into_bound_py_any(py)?),
        ("url", fields.url.into_bound_py_any(py)?),
        ("status", fields.status.into_bound_py_any(py)?),
        ("retry_after", fields.retry_after.into_bound_py_any(py)?),
        ("expected", fields.expected.into_bound_py_any(py)?),
        ("actual", fields.actual.into_bound_py_any(py)?),
        ("needed", fields.needed.into_bound_py_any(py)?),
        ("available", fields.available.into_bound_py_any(py)?),
    ];
    let set = PyDict::new(py);
    for (name, value) in named {
        if !value.is_none() {
            set.set_item(name, value)?;
        }
    }
    Ok(set)
}
