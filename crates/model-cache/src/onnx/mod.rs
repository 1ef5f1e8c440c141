//! ONNX files, read where they lie: of a model only the bytes between its weights are touched.

mod element;
mod location;
mod rewrite;
mod rope;
pub(crate) mod schema;
mod sources;
mod tensor;
#[cfg(test)]
mod tests;
pub(crate) mod wire;

pub(crate) use element::tensor_bytes;
pub(crate) use location::resolve;
pub(crate) use rewrite::rewrite;
pub(crate) use rope::{Rope, Segment};
pub(crate) use sources::{Copied, Detached, MODEL, Run, Source, Sources};

pub(crate) use tensor::DETACHED_FILE;

use crate::error::Error;

/// What is wrong with a model. It is as its repository has it: fetching it again would not help.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Malformed(String);

impl Malformed {
    pub(crate) fn new(what: impl Into<String>) -> Self {
        Self(what.into())
    }

    pub(crate) fn into_text(self) -> String {
        self.0
    }
}

impl std::fmt::Display for Malformed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.fmt(f)
    }
}

/// Why a model cannot be read.
#[derive(Debug)]
pub(crate) enum Failure {
    /// What it is.
    Malformed(Malformed),
    /// A file it needs.
    External(Box<Error>),
}

impl From<Malformed> for Failure {
    fn from(malformed: Malformed) -> Self {
        Self::Malformed(malformed)
    }
}
