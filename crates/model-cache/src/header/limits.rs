//! How much of a header is believed: far more than any model has, and far less than what would fill the memory.

use std::fmt;

use serde_json::{Map, Value};

use super::bytes::Stop;

/// Bytes of a header (256 MiB). The largest known have about 30 MB: vocabularies, and models in very many pieces.
pub(crate) const LARGEST_HEADER: u64 = 256 << 20;

/// Bytes of a name (64 KiB).
pub(super) const LONGEST_NAME: u64 = 64 << 10;

/// Tensors, or what a graph takes and gives.
const MOST_TENSORS: usize = 1 << 20;

/// Dimensions of a tensor.
pub(super) const MOST_DIMENSIONS: usize = 64;

/// Sets of operators.
pub(super) const MOST_OPSETS: usize = 1 << 10;

/// Keys of metadata.
const MOST_KEYS: usize = 1 << 16;

/// Why a header is believed no further.
#[derive(Debug)]
pub(super) struct TooMany(&'static str, usize);

impl fmt::Display for TooMany {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "it has more than {} {}", self.1, self.0)
    }
}

impl From<TooMany> for Stop {
    fn from(too_many: TooMany) -> Self {
        Self::malformed(too_many.to_string())
    }
}

/// Adds one to a list of tensors or of what a graph takes and gives.
pub(super) fn push<T>(list: &mut Vec<T>, one: T) -> Result<(), TooMany> {
    check_tensors(list.len())?;
    list.push(one);
    Ok(())
}

/// Whether there may be one more than so many.
pub(super) fn check_tensors(count: usize) -> Result<(), TooMany> {
    if count < MOST_TENSORS { Ok(()) } else { Err(TooMany("tensors", MOST_TENSORS)) }
}

/// Adds one to the metadata.
pub(super) fn put(metadata: &mut Map<String, Value>, key: String, value: Value) -> Result<(), TooMany> {
    if metadata.len() >= MOST_KEYS {
        return Err(TooMany("keys", MOST_KEYS));
    }
    metadata.insert(key, value);
    Ok(())
}
