//! What model files say of themselves: their tensors and their metadata, read without the tensors' bytes.
//!
//! Nothing here does input or output. A parser runs over the bytes that are here and, where some are missing, is run again once they
//! came. What it allocates is bounded by [`Limits`](limits), whatever a file claims.

mod bytes;
mod gguf;
mod gguf_file_type;
mod gguf_type;
mod limits;
mod onnx;
mod onnx_operator;
mod onnx_tensor;
mod onnx_type;
mod safetensors;
#[cfg(test)]
mod tests;
mod variant;
#[cfg(test)]
mod variant_tests;

use std::collections::BTreeMap;

use serde_json::{Map, Value};

pub(crate) use bytes::{Bytes, Pieces, Stop, Whole};
pub(crate) use limits::LARGEST_HEADER;
pub(crate) use variant::{RULES, Telling, variant};

/// One tensor of a model file.
#[derive(Clone, Debug, PartialEq)]
pub struct TensorInfo {
    /// Name.
    pub name: String,
    /// Size of each dimension, outermost first in all formats; none for a single number.
    pub shape: Vec<u64>,
    /// Type of its numbers, as safetensors has it (`F32`, `BF16`, `I64`, ...) or as GGUF has it (`Q4_K`, ...).
    pub dtype: String,
    /// Where in the file its bytes begin.
    pub offset: u64,
    /// How many bytes it has.
    pub length: u64,
    /// What lies there.
    pub data: TensorData,
}

/// What lies where a tensor is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TensorData {
    /// Its numbers, little-endian, one after the other.
    Raw,
    /// Its numbers, in another file: that path, relative to the folder of the model.
    External(String),
    /// Its message, in which the numbers are encoded one by one (small tensors of ONNX).
    Encoded,
}

impl TensorData {
    /// Its name for callers in other languages, and the file that is meant.
    #[must_use]
    pub fn into_parts(self) -> (&'static str, Option<String>) {
        match self {
            Self::Raw => ("raw", None),
            Self::External(location) => ("external", Some(location)),
            Self::Encoded => ("encoded", None),
        }
    }
}

/// An input or output of an ONNX graph.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GraphPort {
    /// Name.
    pub name: String,
    /// Type of its numbers; `SEQUENCE`, `MAP` or `OPTIONAL` for what is no tensor.
    pub dtype: String,
    /// Its dimensions, outermost first.
    pub shape: Vec<Dimension>,
}

/// One dimension of an input or output.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Dimension {
    /// Always that size.
    Size(u64),
    /// Any size, by the name the graph has for it; empty without one.
    Any(String),
}

/// What only ONNX models have.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Graph {
    /// Version of each set of operators, by its domain; the standard one is `ai.onnx`.
    pub opsets: BTreeMap<String, u64>,
    /// Inputs without those that only name weights.
    pub inputs: Vec<GraphPort>,
    /// Outputs.
    pub outputs: Vec<GraphPort>,
}

/// What a model file says of itself.
#[derive(Clone, Debug, PartialEq)]
pub struct Header {
    /// `safetensors`, `gguf` or `onnx`.
    pub format: &'static str,
    /// Version of the format: GGUF's own, ONNX's `ir_version`; safetensors has none.
    pub version: Option<u64>,
    /// Kind of model, where the file says it (`general.architecture` of GGUF).
    pub architecture: Option<String>,
    /// Program that wrote it, where the file says it (ONNX).
    pub producer: Option<String>,
    /// Numbers in all tensors.
    pub parameters: u64,
    /// Tensors, in the order of the file.
    pub tensors: Vec<TensorInfo>,
    /// What else the file says, by key.
    pub metadata: Map<String, Value>,
    /// What only ONNX models have.
    pub graph: Option<Graph>,
}

impl Header {
    /// The metadata as a JSON object.
    #[must_use]
    pub fn metadata_json(&self) -> String {
        serde_json::to_string(&self.metadata).unwrap_or_default()
    }

    fn new(format: &'static str, tensors: Vec<TensorInfo>, metadata: Map<String, Value>) -> Self {
        let count = |tensor: &TensorInfo| tensor.shape.iter().copied().fold(1, u64::saturating_mul);
        let parameters = tensors.iter().map(count).fold(0, u64::saturating_add);
        Self {
            format,
            version: None,
            architecture: None,
            producer: None,
            parameters,
            tensors,
            metadata,
            graph: None,
        }
    }
}

/// Reads the header of the file at `path` of a repository. ONNX files have no mark of their own: the name tells them.
pub(crate) fn read(path: &str, bytes: &impl Bytes) -> Result<Header, Stop> {
    let start = bytes.take(0, bytes.size().min(9))?;
    if start.starts_with(gguf::MAGIC) {
        return gguf::read(bytes);
    }
    let ending = path.rsplit('.').next().unwrap_or_default();
    if ending.eq_ignore_ascii_case("onnx") {
        return onnx::read(bytes);
    }
    if safetensors::begins(start) {
        return safetensors::read(bytes);
    }
    Err(Stop::Unknown(
        "it begins like none of safetensors, GGUF and ONNX (which is told by its name)".to_owned(),
    ))
}
