//! ONNX: a protobuf message with a graph in it, and the weights between everything else. Only what lies between them is read.

use std::collections::HashSet;
use std::ops::Range;

use serde_json::{Map, Value as Json};

use super::bytes::{Bytes, Stop};
use super::limits::{LARGEST_HEADER, LONGEST_NAME, MOST_DIMENSIONS, MOST_OPSETS, push, put};
use super::onnx_operator::Quantization;
use super::onnx_tensor::text;
use super::{Dimension, Graph, GraphPort, Header, TensorInfo, onnx_tensor, onnx_type};
use crate::onnx::schema::{attribute, graph, model, node};
use crate::onnx::wire::{Field, Fields, Value};

/// Graphs may lie in each other so deep.
const DEPTH: usize = 32;

/// Longest value of the metadata (16 MiB): programs put whole configurations there.
const LONGEST_VALUE: u64 = 16 << 20;

/// What a model says, as it is read.
struct Model<'a, B> {
    bytes: &'a B,
    version: Option<u64>,
    producer: Vec<String>,
    metadata: Map<String, Json>,
    tensors: Vec<TensorInfo>,
    /// Bytes of all names and values that are kept.
    texts: u64,
    quantization: Quantization,
    graph: Graph,
    has_graph: bool,
}

pub(super) fn read(bytes: &impl Bytes) -> Result<Header, Stop> {
    let mut model = Model::new(bytes);
    model.fields()?;
    model.finish()
}

/// What a model says up to where its bytes are here.
pub(super) struct Survey {
    pub(super) tensors: Vec<TensorInfo>,
    pub(super) quantization: Quantization,
    /// Why it is not all.
    pub(super) stop: Option<Stop>,
}

pub(super) fn survey(bytes: &impl Bytes) -> Survey {
    let mut model = Model::new(bytes);
    let stop = model.fields().err();
    Survey { tensors: model.tensors, quantization: model.quantization, stop }
}

impl<'a, B: Bytes> Model<'a, B> {
    fn new(bytes: &'a B) -> Self {
        Self {
            bytes,
            version: None,
            producer: Vec::new(),
            metadata: Map::new(),
            tensors: Vec::new(),
            texts: 0,
            quantization: Quantization::default(),
            graph: Graph::default(),
            has_graph: false,
        }
    }

    fn fields(&mut self) -> Result<(), Stop> {
        let bytes = self.bytes;
        for field in fields(bytes, 0..bytes.count()) {
            match field? {
                (model::VERSION, Value::Varint(version)) => self.version = Some(version),
                (model::PRODUCER_NAME | model::PRODUCER_VERSION, Value::Bytes(range)) => {
                    self.producer.push(text(bytes, range, LONGEST_NAME)?);
                }
                (model::GRAPH, Value::Bytes(range)) => {
                    self.has_graph = true;
                    self.graph(range, DEPTH)?;
                }
                (model::OPSETS, Value::Bytes(range)) => self.opset(range)?,
                (model::METADATA, Value::Bytes(range)) => {
                    let (key, value) = onnx_tensor::entry(bytes, range, LONGEST_VALUE)?;
                    self.count(key.len() + value.len())?;
                    put(&mut self.metadata, key, Json::String(value))?;
                }
                _ => {}
            }
        }
        Ok(())
    }

    fn finish(mut self) -> Result<Header, Stop> {
        if !self.has_graph {
            return Err(Stop::malformed("it is no ONNX model: it has no graph"));
        }
        // Older models list their weights among the inputs.
        let weights: HashSet<&str> = self.tensors.iter().map(|tensor| tensor.name.as_str()).collect();
        self.graph.inputs.retain(|input| !weights.contains(input.name.as_str()));
        let producer = (!self.producer.is_empty()).then(|| self.producer.join(" "));
        Ok(Header {
            version: self.version,
            producer,
            graph: Some(self.graph),
            ..Header::new("onnx", self.tensors, self.metadata)
        })
    }

    /// Weights, and of the outermost graph what it takes and gives.
    fn graph(&mut self, range: Range<usize>, depth: usize) -> Result<(), Stop> {
        let left = depth.checked_sub(1);
        let left = left
            .ok_or_else(|| Stop::malformed(format!("its graphs lie in each other more than {DEPTH} deep")))?;
        let outermost = depth == DEPTH;
        for field in fields(self.bytes, range) {
            match field? {
                (graph::NODES, Value::Bytes(node)) => self.node(node, left)?,
                (graph::INITIALIZERS, Value::Bytes(tensor)) => self.tensor(tensor, None)?,
                (graph::INPUTS, Value::Bytes(port)) if outermost => {
                    let port = self.port(port)?;
                    push(&mut self.graph.inputs, port)?;
                }
                (graph::OUTPUTS, Value::Bytes(port)) if outermost => {
                    let port = self.port(port)?;
                    push(&mut self.graph.outputs, port)?;
                }
                _ => {}
            }
        }
        Ok(())
    }

    /// Graphs in a node, and the weights that a `Constant` has; they are called what it gives.
    fn node(&mut self, range: Range<usize>, depth: usize) -> Result<(), Stop> {
        let (mut output, mut kind, mut attributes) = (None, String::new(), Vec::new());
        for field in fields(self.bytes, range) {
            match field? {
                (node::OUTPUTS, Value::Bytes(name)) => output = output.or(Some(name)),
                (node::TYPE, Value::Bytes(name)) => kind = text(self.bytes, name, LONGEST_NAME)?,
                (node::ATTRIBUTES, Value::Bytes(attribute)) => push(&mut attributes, attribute)?,
                _ => {}
            }
        }
        self.quantization.note(self.bytes, &kind, &attributes)?;
        let constant = kind == "Constant";
        for attribute in attributes {
            for field in fields(self.bytes, attribute) {
                match field? {
                    (attribute::TENSOR, Value::Bytes(tensor)) if constant => {
                        self.tensor(tensor, output.clone())?;
                    }
                    (attribute::GRAPH | attribute::GRAPHS, Value::Bytes(graph)) => {
                        self.graph(graph, depth)?;
                    }
                    _ => {}
                }
            }
        }
        Ok(())
    }

    fn tensor(&mut self, range: Range<usize>, name: Option<Range<usize>>) -> Result<(), Stop> {
        let mut tensor = onnx_tensor::read(self.bytes, range)?;
        if let Some(name) = name {
            tensor.name = text(self.bytes, name, LONGEST_NAME)?;
        }
        self.count(tensor.name.len())?;
        Ok(push(&mut self.tensors, tensor)?)
    }

    fn count(&mut self, length: usize) -> Result<(), Stop> {
        self.texts += length as u64;
        if self.texts > LARGEST_HEADER {
            return Err(Stop::malformed("its names and metadata are too long"));
        }
        Ok(())
    }

    /// An `OperatorSetIdProto`.
    fn opset(&mut self, range: Range<usize>) -> Result<(), Stop> {
        let (mut domain, mut version) = (String::new(), 0);
        for field in fields(self.bytes, range) {
            match field? {
                (1, Value::Bytes(name)) => domain = text(self.bytes, name, LONGEST_NAME)?,
                (2, Value::Varint(number)) => version = number,
                _ => {}
            }
        }
        if self.graph.opsets.len() >= MOST_OPSETS {
            return Err(Stop::malformed(format!("it uses more than {MOST_OPSETS} sets of operators")));
        }
        let domain = if domain.is_empty() { "ai.onnx".to_owned() } else { domain };
        self.graph.opsets.insert(domain, version);
        Ok(())
    }

    /// A `ValueInfoProto`.
    fn port(&self, range: Range<usize>) -> Result<GraphPort, Stop> {
        let mut port = GraphPort { name: String::new(), dtype: onnx_type::name(0), shape: Vec::new() };
        for field in fields(self.bytes, range) {
            match field? {
                (1, Value::Bytes(name)) => port.name = text(self.bytes, name, LONGEST_NAME)?,
                (2, Value::Bytes(kind)) => self.kind(kind, &mut port)?,
                _ => {}
            }
        }
        Ok(port)
    }

    /// A `TypeProto`.
    fn kind(&self, range: Range<usize>, port: &mut GraphPort) -> Result<(), Stop> {
        for field in fields(self.bytes, range) {
            match field? {
                (1 | 8, Value::Bytes(tensor)) => self.tensor_kind(tensor, port)?,
                (4, Value::Bytes(_)) => "SEQUENCE".clone_into(&mut port.dtype),
                (5, Value::Bytes(_)) => "MAP".clone_into(&mut port.dtype),
                (9, Value::Bytes(_)) => "OPTIONAL".clone_into(&mut port.dtype),
                _ => {}
            }
        }
        Ok(())
    }

    fn tensor_kind(&self, range: Range<usize>, port: &mut GraphPort) -> Result<(), Stop> {
        for field in fields(self.bytes, range) {
            match field? {
                (1, Value::Varint(number)) => port.dtype = onnx_type::name(number),
                (2, Value::Bytes(shape)) => {
                    for field in fields(self.bytes, shape) {
                        let (1, Value::Bytes(dimension)) = field? else { continue };
                        if port.shape.len() >= MOST_DIMENSIONS {
                            return Err(Stop::malformed(format!("{:?} has too many dimensions", port.name)));
                        }
                        port.shape.push(self.dimension(dimension)?);
                    }
                }
                _ => {}
            }
        }
        Ok(())
    }

    fn dimension(&self, range: Range<usize>) -> Result<Dimension, Stop> {
        let mut dimension = Dimension::Any(String::new());
        for field in fields(self.bytes, range) {
            match field? {
                // Negative numbers stand for any size.
                (1, Value::Varint(size)) if size <= i64::MAX.cast_unsigned() => {
                    dimension = Dimension::Size(size);
                }
                (2, Value::Bytes(name)) => dimension = Dimension::Any(text(self.bytes, name, LONGEST_NAME)?),
                _ => {}
            }
        }
        Ok(dimension)
    }
}

/// Number and value of the fields of a message.
fn fields<B: Bytes>(bytes: &B, range: Range<usize>) -> impl Iterator<Item = Result<(u32, Value), Stop>> {
    Fields::new(bytes, range).map(|field| field.map(|Field { number, value, .. }| (number, value)))
}
