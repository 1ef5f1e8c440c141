//! safetensors: the length of a JSON document, the document, then the tensors.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::Value;

use super::bytes::{Bytes, Stop};
use super::limits::{MOST_DIMENSIONS, push, put};
use super::{Header, TensorData, TensorInfo};

/// Bytes before the document.
const LENGTH: u64 = 8;

/// Longest document, as the reference reader has it (100 MB).
const LONGEST: u64 = 100_000_000;

/// One tensor in the document.
#[derive(Deserialize)]
struct Entry {
    dtype: String,
    shape: Vec<u64>,
    /// From the end of the document on.
    data_offsets: (u64, u64),
}

/// The document. It is not read into a tree of values, which would be many times as large.
#[derive(Deserialize)]
struct Document {
    #[serde(rename = "__metadata__", default)]
    metadata: Option<BTreeMap<String, String>>,
    #[serde(flatten)]
    tensors: BTreeMap<String, Entry>,
}

/// Whether a file that begins so can be one.
pub(super) fn begins(start: &[u8]) -> bool {
    start.get(8) == Some(&b'{') && length(start).is_some_and(|length| length <= LONGEST)
}

pub(super) fn read(bytes: &impl Bytes) -> Result<Header, Stop> {
    let length = length(bytes.take(0, LENGTH)?).unwrap_or_default();
    let document = bytes.take(LENGTH, length)?;
    let document: Document = serde_json::from_slice(document)
        .map_err(|error| Stop::malformed(format!("its JSON header cannot be read: {error}")))?;
    let data = bytes.size() - LENGTH - length;
    let mut tensors = Vec::new();
    for (name, entry) in document.tensors {
        push(&mut tensors, tensor(name, entry, LENGTH + length, data)?)?;
    }
    tensors.sort_by_key(|tensor| tensor.offset);
    let mut metadata = serde_json::Map::new();
    for (key, value) in document.metadata.unwrap_or_default() {
        put(&mut metadata, key, Value::String(value))?;
    }
    Ok(Header::new("safetensors", tensors, metadata))
}

fn tensor(name: String, entry: Entry, base: u64, data: u64) -> Result<TensorInfo, Stop> {
    let Entry { dtype, shape, data_offsets: (start, end) } = entry;
    if shape.len() > MOST_DIMENSIONS || start > end || end > data {
        return Err(Stop::malformed(format!("its tensor {name:?} lies at {start} to {end} of {data} bytes")));
    }
    Ok(TensorInfo { name, shape, dtype, offset: base + start, length: end - start, data: TensorData::Raw })
}

fn length(start: &[u8]) -> Option<u64> {
    Some(u64::from_le_bytes(*start.first_chunk()?))
}
