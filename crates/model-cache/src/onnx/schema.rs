//! Where in an ONNX model (`onnx.proto`) tensors can be.

/// The messages that lead to tensors.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Model,
    Training,
    Graph,
    Node,
    Attribute,
    Function,
    SparseTensor,
    Tensor,
}

/// Fields of `ModelProto`.
pub(crate) mod model {
    pub(crate) const VERSION: u32 = 1;
    pub(crate) const PRODUCER_NAME: u32 = 2;
    pub(crate) const PRODUCER_VERSION: u32 = 3;
    pub(crate) const GRAPH: u32 = 7;
    pub(crate) const OPSETS: u32 = 8;
    pub(crate) const METADATA: u32 = 14;
    pub(crate) const TRAINING: u32 = 20;
    pub(crate) const FUNCTIONS: u32 = 25;
}

/// Fields of `GraphProto`.
pub(crate) mod graph {
    pub(crate) const NODES: u32 = 1;
    pub(crate) const INITIALIZERS: u32 = 5;
    pub(crate) const INPUTS: u32 = 11;
    pub(crate) const OUTPUTS: u32 = 12;
    pub(crate) const SPARSE_INITIALIZERS: u32 = 15;
}

/// Fields of `NodeProto`.
pub(crate) mod node {
    pub(crate) const OUTPUTS: u32 = 2;
    pub(crate) const TYPE: u32 = 4;
    pub(crate) const ATTRIBUTES: u32 = 5;
}

/// Fields of `AttributeProto`.
pub(crate) mod attribute {
    pub(crate) const TENSOR: u32 = 5;
    pub(crate) const GRAPH: u32 = 6;
    pub(crate) const TENSORS: u32 = 10;
    pub(crate) const GRAPHS: u32 = 11;
    pub(crate) const SPARSE_TENSOR: u32 = 22;
    pub(crate) const SPARSE_TENSORS: u32 = 23;
}

/// Fields of `FunctionProto`.
mod function {
    pub(super) const NODES: u32 = 7;
    pub(super) const ATTRIBUTES: u32 = 11;
}

/// Fields of `TensorProto`.
pub(crate) mod tensor {
    pub(crate) const DIMS: u32 = 1;
    pub(crate) const DATA_TYPE: u32 = 2;
    pub(crate) const NAME: u32 = 8;
    pub(crate) const RAW_DATA: u32 = 9;
    pub(crate) const EXTERNAL_DATA: u32 = 13;
    pub(crate) const DATA_LOCATION: u32 = 14;
}

/// `TensorProto.DataLocation.EXTERNAL`.
pub(crate) const EXTERNAL: u64 = 1;

impl Kind {
    /// What the field `number` of such a message is, where tensors may be in it.
    pub(crate) fn child(self, number: u32) -> Option<Self> {
        match (self, number) {
            (Self::Model, model::GRAPH)
            | (Self::Training, 1 | 2)
            | (Self::Attribute, attribute::GRAPH | attribute::GRAPHS) => Some(Self::Graph),
            (Self::Model, model::TRAINING) => Some(Self::Training),
            (Self::Model, model::FUNCTIONS) => Some(Self::Function),
            (Self::Graph, graph::NODES) | (Self::Function, function::NODES) => Some(Self::Node),
            (Self::Node, node::ATTRIBUTES) | (Self::Function, function::ATTRIBUTES) => Some(Self::Attribute),
            (Self::Graph, graph::SPARSE_INITIALIZERS)
            | (Self::Attribute, attribute::SPARSE_TENSOR | attribute::SPARSE_TENSORS) => {
                Some(Self::SparseTensor)
            }
            (Self::Graph, graph::INITIALIZERS)
            | (Self::Attribute, attribute::TENSOR | attribute::TENSORS)
            | (Self::SparseTensor, 1 | 2) => Some(Self::Tensor),
            _ => None,
        }
    }
}
