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

/// `ModelProto.graph`.
pub(crate) const MODEL_GRAPH: u32 = 7;

/// `NodeProto.op_type`.
pub(crate) const NODE_TYPE: u32 = 4;

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
            (Self::Model, MODEL_GRAPH) | (Self::Training, 1 | 2) | (Self::Attribute, 6 | 11) => {
                Some(Self::Graph)
            }
            (Self::Model, 20) => Some(Self::Training),
            (Self::Model, 25) => Some(Self::Function),
            (Self::Graph, 1) | (Self::Function, 7) => Some(Self::Node),
            (Self::Node, 5) | (Self::Function, 11) => Some(Self::Attribute),
            (Self::Graph, 15) | (Self::Attribute, 22 | 23) => Some(Self::SparseTensor),
            (Self::Graph | Self::Attribute, 5) | (Self::Attribute, 10) | (Self::SparseTensor, 1 | 2) => {
                Some(Self::Tensor)
            }
            _ => None,
        }
    }
}
