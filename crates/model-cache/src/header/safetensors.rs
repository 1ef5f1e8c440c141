//! safetensors: the length of a JSON document, the document, then the tensors.

use std::collections::BTreeMap;
use std::fmt;

use serde::de::{Error, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_json::{Map, Value};

use super::bytes::{Bytes, Stop};
use super::limits::{MOST_DIMENSIONS, check_tensors, put};
use super::{Header, TensorData, TensorInfo};

/// Bytes before the document.
const LENGTH: u64 = 8;

/// Longest document, as the reference reader has it (100 MB).
const LONGEST: u64 = 100_000_000;

/// One tensor in the document.
#[derive(Deserialize)]
struct Entry {
    dtype: String,
    shape: Shape,
    /// From the end of the document on.
    data_offsets: (u64, u64),
}

struct Shape(Vec<u64>);

/// What is wanted of the document, which is read in one pass: what else it has takes no memory, and too much ends it.
#[derive(Default)]
struct Document {
    metadata: Map<String, Value>,
    tensors: BTreeMap<String, Entry>,
}

struct Metadata(Map<String, Value>);

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
    let tensors = document.tensors.into_iter();
    let tensors = tensors.map(|(name, entry)| tensor(name, entry, LENGTH + length, data));
    let mut tensors = tensors.collect::<Result<Vec<_>, _>>()?;
    tensors.sort_by_key(|tensor| tensor.offset);
    Ok(Header::new("safetensors", tensors, document.metadata))
}

fn tensor(name: String, entry: Entry, base: u64, data: u64) -> Result<TensorInfo, Stop> {
    let Entry { dtype, shape: Shape(shape), data_offsets: (start, end) } = entry;
    if start > end || end > data {
        return Err(Stop::malformed(format!("its tensor {name:?} lies at {start} to {end} of {data} bytes")));
    }
    Ok(TensorInfo { name, shape, dtype, offset: base + start, length: end - start, data: TensorData::Raw })
}

fn length(start: &[u8]) -> Option<u64> {
    Some(u64::from_le_bytes(*start.first_chunk()?))
}

impl<'de> Deserialize<'de> for Document {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(DocumentVisitor)
    }
}

struct DocumentVisitor;

impl<'de> Visitor<'de> for DocumentVisitor {
    type Value = Document;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object of tensors")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut object: A) -> Result<Document, A::Error> {
        let mut document = Document::default();
        while let Some(name) = object.next_key::<String>()? {
            if name == "__metadata__" {
                document.metadata =
                    object.next_value::<Option<Metadata>>()?.map_or_else(Map::new, |found| found.0);
            } else {
                check_tensors(document.tensors.len()).map_err(Error::custom)?;
                document.tensors.insert(name, object.next_value()?);
            }
        }
        Ok(document)
    }
}

impl<'de> Deserialize<'de> for Metadata {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(MetadataVisitor)
    }
}

struct MetadataVisitor;

impl<'de> Visitor<'de> for MetadataVisitor {
    type Value = Metadata;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object of texts")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut object: A) -> Result<Metadata, A::Error> {
        let mut metadata = Map::new();
        while let Some((key, value)) = object.next_entry()? {
            put(&mut metadata, key, Value::String(value)).map_err(Error::custom)?;
        }
        Ok(Metadata(metadata))
    }
}

impl<'de> Deserialize<'de> for Shape {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_seq(ShapeVisitor)
    }
}

struct ShapeVisitor;

impl<'de> Visitor<'de> for ShapeVisitor {
    type Value = Shape;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "at most {MOST_DIMENSIONS} dimensions")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Shape, A::Error> {
        let mut shape = Vec::new();
        while let Some(dimension) = list.next_element()? {
            if shape.len() >= MOST_DIMENSIONS {
                return Err(Error::invalid_length(shape.len() + 1, &self));
            }
            shape.push(dimension);
        }
        Ok(Shape(shape))
    }
}
