//! How much of a header is believed: far more than any model has, and far less than what would fill the memory.

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

/// Adds one to a list of tensors or of what a graph takes and gives.
pub(super) fn push<T>(list: &mut Vec<T>, one: T) -> Result<(), Stop> {
    if list.len() >= MOST_TENSORS {
        return Err(Stop::malformed(format!("it has more than {MOST_TENSORS} tensors")));
    }
    list.push(one);
    Ok(())
}

/// Adds one to the metadata.
pub(super) fn put(metadata: &mut Map<String, Value>, key: String, value: Value) -> Result<(), Stop> {
    if metadata.len() >= MOST_KEYS {
        return Err(Stop::malformed(format!("it has more than {MOST_KEYS} keys")));
    }
    metadata.insert(key, value);
    Ok(())
}
