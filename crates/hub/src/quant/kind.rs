//! What a file's extension says about the way it holds weights.

use super::{Format, Role, gguf_tag};

/// How a file is treated before its neighbours are known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// A graph that may keep its tensors in other files.
    Graph(Format),
    /// GGUF, or one part of a split GGUF.
    Gguf,
    /// The GGML files that came before GGUF, still used by `whisper.cpp`.
    Ggml,
    /// Weights that stand alone or in shards.
    Checkpoint(Format),
    /// `.bin`: `PyTorch`, `OpenVINO`, external data or something else, decided by its neighbours.
    Bin,
    /// `.xml`: an `OpenVINO` graph if it has its `.bin`, else configuration.
    Xml,
    /// The shard map of a checkpoint.
    Index,
    /// No weights: the role is known.
    Settled(Role),
    /// Unknown extension: may be external data.
    Unknown,
}

impl Kind {
    /// Whether the file holds weights as far as its name tells.
    pub(super) const fn holds_weights(self) -> bool {
        matches!(self, Self::Graph(_) | Self::Gguf | Self::Ggml | Self::Checkpoint(_) | Self::Bin)
    }

    /// The role once all neighbours have been considered.
    pub(super) const fn role(self) -> Role {
        match self {
            Self::Graph(_) | Self::Gguf | Self::Ggml | Self::Checkpoint(_) => Role::Weights,
            Self::Index => Role::Index,
            Self::Settled(role) => role,
            Self::Xml => Role::Config,
            Self::Bin | Self::Unknown => Role::Other,
        }
    }
}

/// Extensions of formats without their own [`Format`]; each file is a model of its own unless it is one of a pair.
const OTHER: &[&str] = &[
    "armnn",
    "axmodel",
    "caffemodel",
    "cbm",
    "dlc",
    "engine",
    "ftz",
    "h5",
    "hdf5",
    "hef",
    "joblib",
    "keras",
    "litertlm",
    "llamafile",
    "mar",
    "mlmodel",
    "msgpack",
    "nemo",
    "npz",
    "om",
    "ot",
    "param",
    "pdiparams",
    "pdmodel",
    "pdparams",
    "pickle",
    "pkl",
    "plan",
    "pte",
    "qnn",
    "rkllm",
    "rknn",
    "rten",
    "skops",
    "task",
    "tflite",
    "trt",
    "ubj",
];

const PYTORCH: &[&str] = &["ckpt", "jit", "pt", "pt2", "pth", "ptl", "torchscript"];

/// State of a training run, useless for running the model.
const TRAINING_STATE: &[&str] = &[
    "optimizer",
    "optim",
    "rng_state",
    "random_states",
    "scaler",
    "scheduler",
    "training_args",
    "zero_pp_rank",
];

/// The kind of a file by its name alone. `name` is lower case.
pub(super) fn of_name(name: &str) -> Kind {
    if is_index(name) {
        return Kind::Index;
    }
    if is_gguf(name) {
        return Kind::Gguf;
    }
    let (stem, extension) = name.rsplit_once('.').unwrap_or((name, ""));
    if extension == "zip" && holds_model(stem) {
        return Kind::Checkpoint(Format::Other);
    }
    if name.contains("imatrix") && extension != "txt" {
        return Kind::Settled(Role::Imatrix);
    }
    if is_voice_table(stem) && matches!(extension, "bin" | "npz" | "pt") {
        // The table of a speech model's voices; a folder of them is data, one file is needed to speak at all.
        return Kind::Settled(Role::Config);
    }
    let weights = of_extension(stem, extension);
    if let Some(kind) = weights {
        let is_state =
            TRAINING_STATE.iter().any(|state| stem.starts_with(state)) || stem.ends_with("_optim_states");
        return if is_state && extension != "onnx" { Kind::Settled(Role::Data) } else { kind };
    }
    super::role::of_name(name).map_or(Kind::Unknown, Kind::Settled)
}

/// `voices`, `voices-v1.0`.
fn is_voice_table(stem: &str) -> bool {
    stem.strip_prefix("voices").is_some_and(|rest| rest.is_empty() || rest.starts_with(['-', '_', '.']))
}

/// Whether what an archive holds is a model by its name: `x.onnx.zip`.
fn holds_model(name: &str) -> bool {
    let kind = name.rsplit_once('.').and_then(|(stem, extension)| of_extension(stem, extension));
    matches!(kind, Some(Kind::Graph(_) | Kind::Checkpoint(_)))
}

fn of_extension(stem: &str, extension: &str) -> Option<Kind> {
    Some(match extension {
        "onnx" | "ort" => Kind::Graph(Format::Onnx),
        "mnn" => Kind::Graph(Format::Other),
        "safetensors" => Kind::Checkpoint(Format::Safetensors),
        "ggml" => Kind::Ggml,
        "bin" if is_ggml(stem) => Kind::Ggml,
        "bin" => Kind::Bin,
        "xml" => Kind::Xml,
        _ if PYTORCH.contains(&extension) => Kind::Checkpoint(Format::Pytorch),
        _ if OTHER.contains(&extension) => Kind::Checkpoint(Format::Other),
        _ => return None,
    })
}

/// `ggml-base`, `x.ggmlv3.q4_0`, and `x.q4_0`: only GGML has such types.
fn is_ggml(stem: &str) -> bool {
    let is_typed =
        || gguf_tag::find(stem).is_some_and(|found| found.tag.starts_with('Q') && found.tag.contains('_'));
    stem.starts_with("ggml") || stem.contains(".ggml") || stem.contains("-ggml-") || is_typed()
}

fn is_index(name: &str) -> bool {
    name.split_once(".index.").is_some_and(|(_, rest)| rest == "json" || rest.strip_suffix(".json").is_some())
}

/// `x.gguf`, `x.gguf.part1of2`, `x.gguf-split-a`.
fn is_gguf(name: &str) -> bool {
    name.rfind(".gguf").is_some_and(|at| {
        let rest = name.get(at + ".gguf".len()..).unwrap_or_default();
        rest.is_empty() || rest.starts_with(".part") || rest.starts_with("-split-")
    })
}
