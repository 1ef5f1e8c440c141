//! Inspections as plain objects.

use napi::Env;
use napi::bindgen_prelude::{Either, PromiseRaw};
use napi_derive::napi;
use tabagent_model_cache::{Dimension, GraphPort, Inspection, TensorInfo};

use crate::cache::NativeCache;
use crate::manifest::convert;
use crate::operation::Operation;
use crate::options::to_js;

#[napi]
impl NativeCache {
    /// Reads the header of a model file.
    #[napi(catch_unwind, ts_return_type = "Promise<NativeInspection>")]
    pub fn inspect<'env>(
        &self,
        env: &'env Env,
        repo: String,
        path: String,
        revision: Option<String>,
        operation: &Operation,
    ) -> napi::Result<PromiseRaw<'env, NativeInspection>> {
        let cache = self.cache();
        operation.run(env, async move { cache.inspect(&repo, &path, revision.as_deref()).await })
    }
}

/// See `Inspection` in `src/inspection.ts`.
#[napi(object, object_from_js = false)]
pub struct NativeInspection {
    /// Repository.
    pub repo: String,
    /// Path within the repository.
    pub path: String,
    /// Commit.
    pub commit: String,
    /// Bytes of the file.
    pub size: f64,
    /// Which of the formats.
    #[napi(ts_type = "'safetensors' | 'gguf' | 'onnx'")]
    pub format: String,
    /// Version of the format.
    pub version: Option<f64>,
    /// Kind of model.
    pub architecture: Option<String>,
    /// Program that wrote it.
    pub producer: Option<String>,
    /// Numbers in all tensors.
    pub parameters: f64,
    /// Tensors.
    pub tensors: Vec<NativeTensor>,
    /// JSON of the metadata.
    pub metadata: String,
    /// What only ONNX models have.
    pub graph: Option<NativeGraph>,
}

impl From<Inspection> for NativeInspection {
    fn from(inspection: Inspection) -> Self {
        let header = inspection.header;
        Self {
            repo: inspection.repo,
            path: inspection.path,
            commit: inspection.commit,
            size: to_js(inspection.size),
            format: header.format.to_owned(),
            version: header.version.map(to_js),
            metadata: header.metadata_json(),
            architecture: header.architecture,
            producer: header.producer,
            parameters: to_js(header.parameters),
            tensors: convert(header.tensors),
            graph: header.graph.map(|graph| NativeGraph {
                opsets: graph
                    .opsets
                    .into_iter()
                    .map(|(domain, version)| NativeOpset { domain, version: to_js(version) })
                    .collect(),
                inputs: convert(graph.inputs),
                outputs: convert(graph.outputs),
            }),
        }
    }
}

/// One tensor.
#[napi(object, object_from_js = false)]
pub struct NativeTensor {
    /// Name.
    pub name: String,
    /// Dimensions.
    pub shape: Vec<f64>,
    /// Type of its numbers.
    pub dtype: String,
    /// First byte.
    pub offset: f64,
    /// Bytes.
    pub length: f64,
    /// What lies there.
    #[napi(ts_type = "'raw' | 'external' | 'encoded'")]
    pub data: String,
    /// File it is in, where that is another one.
    pub location: Option<String>,
}

impl From<TensorInfo> for NativeTensor {
    fn from(tensor: TensorInfo) -> Self {
        let (data, location) = tensor.data.into_parts();
        Self {
            name: tensor.name,
            shape: tensor.shape.into_iter().map(to_js).collect(),
            dtype: tensor.dtype,
            offset: to_js(tensor.offset),
            length: to_js(tensor.length),
            data: data.to_owned(),
            location,
        }
    }
}

/// What only ONNX models have.
#[napi(object, object_from_js = false)]
pub struct NativeGraph {
    /// Sets of operators.
    pub opsets: Vec<NativeOpset>,
    /// Inputs.
    pub inputs: Vec<NativeGraphPort>,
    /// Outputs.
    pub outputs: Vec<NativeGraphPort>,
}

/// A set of operators.
#[napi(object, object_from_js = false)]
pub struct NativeOpset {
    /// Its name.
    pub domain: String,
    /// Its version.
    pub version: f64,
}

/// An input or output.
#[napi(object, object_from_js = false)]
pub struct NativeGraphPort {
    /// Name.
    pub name: String,
    /// Type of its numbers.
    pub dtype: String,
    /// Dimensions: sizes, or names of those that can be any.
    pub shape: Vec<Either<f64, String>>,
}

impl From<GraphPort> for NativeGraphPort {
    fn from(port: GraphPort) -> Self {
        let dimension = |dimension| match dimension {
            Dimension::Size(size) => Either::A(to_js(size)),
            Dimension::Any(name) => Either::B(name),
        };
        Self { name: port.name, dtype: port.dtype, shape: port.shape.into_iter().map(dimension).collect() }
    }
}
