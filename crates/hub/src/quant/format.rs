/// The file format of a variant's weights.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Format {
    /// ONNX graphs, with or without external data, and ONNX Runtime's own `.ort`.
    Onnx,
    /// GGUF of llama.cpp.
    Gguf,
    /// safetensors, single or sharded.
    Safetensors,
    /// `OpenVINO` IR, pairs of `.xml` and `.bin`.
    Openvino,
    /// Pickled `PyTorch` checkpoints (`.bin`, `.pt`, `.pth`, `.ckpt`).
    Pytorch,
    /// Everything else: `TensorFlow`, Flax, `LiteRT`, Core ML, `CTranslate2`, GGML, ncnn, MNN and so on.
    Other,
}

impl Format {
    /// The name used in manifests and as the prefix of colliding quant names.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Onnx => "onnx",
            Self::Gguf => "gguf",
            Self::Safetensors => "safetensors",
            Self::Openvino => "openvino",
            Self::Pytorch => "pytorch",
            Self::Other => "other",
        }
    }
}
