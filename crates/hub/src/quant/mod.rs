//! Sorts the files of a repository into quantization variants.
//!
//! [`detect()`] looks only at paths, sizes and what the Hub says about the repository ([`Hints`]); it opens no file.
//! Every file name is split into words, and every word is one of four things: a *role* (`encoder`, `embed_tokens`,
//! `unet`: one part of a model), a *variant* (`q4f16`, `int8_avx512`, `Q4_K_M`: how it is quantized), a *filler*
//! (`model`, `onnx`) or a *name*. Files that agree in folder, name and variant and differ in role are one quant;
//! files that differ in anything else stay apart. A word that is not understood is a name, so it separates.

mod adoption;
mod binary;
mod candidate;
mod companion;
mod detect;
mod dtype;
mod entry;
mod external_data;
mod folder;
mod format;
mod gap;
mod gguf;
mod gguf_tag;
mod hints;
mod kind;
mod model;
mod naming;
mod package;
mod projector;
mod refinement;
mod role;
mod session;
mod shard;
mod sidecar;
mod stem;
mod support;
mod unit;
mod unit_builder;
mod words;

pub use detect::{detect, detect_again, detect_with};
pub use format::Format;
pub use gap::{gaps, parts};
pub use hints::Hints;
pub use role::Role;

/// One file of the listing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SourceFile<'a> {
    /// Path inside the repository, with `/` between folders.
    pub path: &'a str,
    /// Size in bytes; 0 when it is not known.
    pub size: u64,
}

/// What [`detect()`] found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Detection {
    /// The role of each input file, in input order.
    pub roles: Vec<Role>,
    /// The variants, sorted by name without regard to case.
    pub quants: Vec<DetectedQuant>,
    /// Indices of the files that every quant needs, ascending.
    pub shared: Vec<usize>,
}

/// One variant of the model.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DetectedQuant {
    /// Unique in the repository, also when case is ignored.
    pub name: String,
    /// The format of its weights.
    pub format: Format,
    /// Indices of all files it needs (weights, external data, projector, index, configuration, shared files),
    /// ascending and without duplicates.
    pub files: Vec<usize>,
}
