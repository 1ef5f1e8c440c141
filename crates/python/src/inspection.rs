//! Inspections as dictionaries; `inspection.py` makes its classes of them.

use std::collections::BTreeMap;

use pyo3::prelude::*;
use tabagent_model_cache::{Dimension, GraphPort, Inspection, TensorInfo};

use crate::cache::NativeCache;
use crate::call::wait;
use crate::manifest::convert;

#[pymethods]
impl NativeCache {
    /// Reads the header of a model file.
    fn inspect(
        &self,
        py: Python<'_>,
        repo: &str,
        path: &str,
        revision: Option<&str>,
    ) -> PyResult<NativeInspection> {
        Ok(wait(py, self.core().inspect(repo, path, revision))?.into())
    }
}

/// See `Inspection` in `inspection.py`.
#[derive(IntoPyObject)]
pub(crate) struct NativeInspection {
    repo: String,
    path: String,
    commit: String,
    size: u64,
    format: &'static str,
    version: Option<u64>,
    architecture: Option<String>,
    producer: Option<String>,
    parameters: u64,
    tensors: Vec<NativeTensor>,
    /// JSON.
    metadata: String,
    graph: Option<NativeGraph>,
}

impl From<Inspection> for NativeInspection {
    fn from(inspection: Inspection) -> Self {
        let header = inspection.header;
        Self {
            repo: inspection.repo,
            path: inspection.path,
            commit: inspection.commit,
            size: inspection.size,
            format: header.format,
            version: header.version,
            metadata: header.metadata_json(),
            architecture: header.architecture,
            producer: header.producer,
            parameters: header.parameters,
            tensors: convert(header.tensors),
            graph: header.graph.map(|graph| NativeGraph {
                opsets: graph.opsets,
                inputs: convert(graph.inputs),
                outputs: convert(graph.outputs),
            }),
        }
    }
}

/// See `TensorInfo` in `inspection.py`.
#[derive(IntoPyObject)]
pub(crate) struct NativeTensor {
    name: String,
    shape: Vec<u64>,
    dtype: String,
    offset: u64,
    length: u64,
    data: &'static str,
    location: Option<String>,
}

impl From<TensorInfo> for NativeTensor {
    fn from(tensor: TensorInfo) -> Self {
        let (data, location) = tensor.data.into_parts();
        Self {
            name: tensor.name,
            shape: tensor.shape,
            dtype: tensor.dtype,
            offset: tensor.offset,
            length: tensor.length,
            data,
            location,
        }
    }
}

/// See `Graph` in `inspection.py`.
#[derive(IntoPyObject)]
pub(crate) struct NativeGraph {
    opsets: BTreeMap<String, u64>,
    inputs: Vec<NativeGraphPort>,
    outputs: Vec<NativeGraphPort>,
}

/// See `GraphPort` in `inspection.py`.
#[derive(IntoPyObject)]
pub(crate) struct NativeGraphPort {
    name: String,
    dtype: String,
    shape: Vec<NativeDimension>,
}

impl From<GraphPort> for NativeGraphPort {
    fn from(port: GraphPort) -> Self {
        Self { name: port.name, dtype: port.dtype, shape: convert(port.shape) }
    }
}

/// A size, or the name of one that can be any.
#[derive(IntoPyObject)]
pub(crate) enum NativeDimension {
    Size(u64),
    Any(String),
}

impl From<Dimension> for NativeDimension {
    fn from(dimension: Dimension) -> Self {
        match dimension {
            Dimension::Size(size) => Self::Size(size),
            Dimension::Any(name) => Self::Any(name),
        }
    }
}
